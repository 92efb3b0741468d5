"""What a provider publishes: its endpoints and its keys, as OpenID Connect Discovery says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cato_backend.config.sign_in import is_secure
from cato_backend.errors import ProviderUnusable

WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Endpoints of a provider."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str
    """Empty where the provider has none."""
    takes_basic: bool
    """Whether a client sends its secret by HTTP's basic authentication, else in the form."""


def endpoints_of(document: Mapping[str, Any], issuer: str) -> Endpoints:
    """Return what a discovery document says. Raises ProviderUnusable, naming the field."""
    found = document.get("issuer")
    if not isinstance(found, str) or found.rstrip("/") != issuer.rstrip("/"):
        raise _unusable("issuer", found, f"{issuer!r}, as in oidc.issuer")
    methods = document.get("token_endpoint_auth_methods_supported")
    return Endpoints(
        issuer=found,
        authorization=_url(document, "authorization_endpoint"),
        token=_url(document, "token_endpoint"),
        keys=_url(document, "jwks_uri"),
        userinfo=_url(document, "userinfo_endpoint") if "userinfo_endpoint" in document else "",
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
    )


def _url(document: Mapping[str, Any], field: str) -> str:
    found = document.get(field)
    try:
        if isinstance(found, str) and is_secure(found):
            return found
    except ValueError:
        pass
    raise _unusable(field, found, "an https URL; http only for a loopback address")


def _unusable(field: str, got: object, expected: str) -> ProviderUnusable:
    return ProviderUnusable(
        f"oidc.issuer: its discovery document has {field} {got!r:.200}, expected {expected}",
        param=field,
    )
