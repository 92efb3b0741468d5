"""The section about sign-in by an OpenID Connect provider."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from cato_backend.config.sections import Frozen
from cato_backend.wire.addresses import is_loopback

_HOUR_S, _DAY_S = 3600.0, 86_400.0
EVERYBODY = "*"
"""As a domain: everybody whom the provider knows."""


class OidcConfig(Frozen):
    """[oidc]: people sign in by an OpenID Connect provider, beside tokens."""

    issuer: str = Field(
        default="",
        description="URL of the provider, below which /.well-known/openid-configuration is; empty:"
        " sign-in is off",
    )
    client_id: str = Field(default="", description="id of this server at the provider")
    client_secret_file: str = Field(
        default="",
        description="file with the client secret; else CATO_OIDC_CLIENT_SECRET; a public client has"
        " none",
    )
    scopes: tuple[str, ...] = Field(
        default=("openid", "profile", "email"),
        strict=False,
        description="scopes that the provider is asked for",
    )
    public_url: str = Field(
        default="",
        description="URL of this server in browsers, behind a proxy; empty: as the browser asks",
    )
    allowed_domains: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description='domains of verified e-mail addresses that may sign in; "*":'
        " everybody whom the provider knows",
    )
    allowed_groups: tuple[str, ...] = Field(
        default=(), strict=False, description="groups that may sign in"
    )
    person_claim: str = Field(
        default="email", description="claim that names a person at the first sign-in"
    )
    groups_claim: str = Field(
        default="groups", description="claim that lists groups; dots lead into objects"
    )
    teams: dict[str, str] = Field(
        default={}, description="group = team; the first that fits counts, at each sign-in"
    )
    team: str = Field(
        default="everybody", description="team of a new person whose groups are not in teams"
    )
    roles: dict[str, str] = Field(
        default={},
        description="group = user, lead or admin; the highest counts; where there is any entry, the"
        " role follows the groups at each sign-in",
    )
    link_by_email: bool = Field(
        default=False,
        description="a new sign-in is linked to the person whose name is its verified e-mail"
        " address",
    )
    session_h: float = Field(
        default=12, gt=0, le=720, description="hours after which a sign-in on the page ends"
    )
    device_days: float = Field(
        default=90, gt=0, le=730, description="days after which the token of an editor expires"
    )
    leeway_s: float = Field(
        default=60, ge=0, le=600, description="seconds by which the provider's clock may differ"
    )

    @property
    def session_s(self) -> float:
        """Seconds that a sign-in on the page lasts."""
        return self.session_h * _HOUR_S

    @property
    def device_s(self) -> float:
        """Seconds until the token of an editor expires."""
        return self.device_days * _DAY_S

    @field_validator("issuer", "public_url")
    @classmethod
    def _is_secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if (url and not (parts.hostname and is_secure(url))) or parts.query or parts.fragment:
            raise ValueError("an https URL; http only for a loopback address")
        return url.rstrip("/") if not parts.path.strip("/") else url

    @field_validator("roles")
    @classmethod
    def _are_roles(cls, roles: dict[str, str]) -> dict[str, str]:
        if not set(roles.values()) <= {"user", "lead", "admin"}:
            raise ValueError("user, lead or admin for each group")
        return roles

    @model_validator(mode="after")
    def _is_complete(self) -> OidcConfig:
        if not self.issuer:
            return self
        if not self.client_id:
            raise ValueError("client_id: expected what the provider calls this server")
        if "openid" not in self.scopes:
            raise ValueError('scopes: expected "openid" among them')
        if not self.allowed_domains and not self.allowed_groups:
            raise ValueError(
                'allowed_domains: expected domains, or allowed_groups; ["*"] lets in everybody'
                " whom the provider knows"
            )
        return self


def is_secure(url: str) -> bool:
    """Return whether a URL is https, or http to this machine. Raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
