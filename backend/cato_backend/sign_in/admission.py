"""One attempt of a browser to sign in, and who is admitted as whom. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from cato_backend.config.sign_in import EVERYBODY, OidcConfig
from cato_backend.errors import InvalidSignIn, SignInRefused, TeamError
from cato_backend.team.identities import Identity
from cato_backend.team.records import Role, checked_name

_SEPARATOR = "."
"""URL-safe base64 does not contain it."""


Claims: TypeAlias = Mapping[str, Any]
"""What a provider says of a person, checked."""


@dataclass(frozen=True, slots=True)
class AdmittedPerson:
    """A person who may sign in."""

    identity: Identity
    name: str
    """Name of the person in the store, who is created at the first sign-in."""
    email: str
    """Verified by the provider; else empty."""
    team: str | None
    """The team that their groups give them; None where no group gives one."""
    role: Role | None
    """The role that their groups give them; None where roles do not follow groups."""


def admitted(claims: Claims, config: OidcConfig) -> AdmittedPerson:
    """Return who this is. Raises SignInRefused where they may not sign in."""
    email = _verified_email(claims)
    groups = _groups(claims, config.groups_claim)
    _check_allowed(email, groups, config)
    return AdmittedPerson(
        identity=Identity.of(str(claims["iss"]), str(claims["sub"])),
        name=_name(claims, config.person_claim, email),
        email=email,
        team=next((team for group, team in config.teams.items() if group in groups), None),
        role=_role(groups, config.roles),
    )


def _check_allowed(email: str, groups: frozenset[str], config: OidcConfig) -> None:
    domains = {domain.lower() for domain in config.allowed_domains}
    if EVERYBODY in domains or groups & set(config.allowed_groups):
        return
    name, _, domain = email.rpartition("@")
    if name and domain.lower() in domains:
        return
    lacks: list[str] = []
    if domains:
        lacks.append("no verified e-mail address of an allowed domain")
    if config.allowed_groups:
        lacks.append("no allowed group")
    raise SignInRefused(
        f"sign-in: the provider sent {' and '.join(lacks)}; ask this server's administrator",
        param="oidc.allowed_domains" if domains else "oidc.allowed_groups",
    )


def _verified_email(claims: Claims) -> str:
    email = claims.get("email")
    is_verified = claims.get("email_verified") in (True, "true")
    return email.strip() if isinstance(email, str) and is_verified else ""


def _groups(claims: Claims, path: str) -> frozenset[str]:
    found = _claim(claims, path)
    if isinstance(found, str):
        return frozenset({found})
    if isinstance(found, list):
        return frozenset(each for each in cast("list[object]", found) if isinstance(each, str))
    return frozenset()


def _claim(claims: Claims, path: str) -> object:
    """Return the claim of this name, or what the names between dots lead to."""
    if path in claims:
        return claims[path]
    found: object = dict(claims)
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = cast("dict[str, object]", found).get(name)
    return found


def _name(claims: Claims, claim: str, email: str) -> str:
    found = email if claim == "email" else _claim(claims, claim)
    if not isinstance(found, str) or not found.strip():
        what = "no verified e-mail address" if claim == "email" else f"no claim {claim!r}"
        raise SignInRefused(
            f"sign-in: the provider sent {what}, which this server takes names from; ask its"
            " administrator to set oidc.person_claim",
            param="oidc.person_claim",
        )
    try:
        return checked_name(claim, found)
    except TeamError as error:
        raise SignInRefused(f"sign-in: {error}", param="oidc.person_claim") from error


def _role(groups: frozenset[str], roles: Mapping[str, str]) -> Role | None:
    if not roles:
        return None
    found = {Role(role) for group, role in roles.items() if group in groups}
    return next((role for role in reversed(Role) if role in found), Role.USER)


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """A sign-in under way. The browser keeps it in a cookie, and the server keeps nothing."""

    state: str = field(repr=False)
    """Comes back with the code: the code is for this browser."""
    nonce: str = field(repr=False)
    """Comes back in the ID token: the token is for this attempt."""
    verifier: str = field(repr=False)
    """Told with the code: only who began can redeem it (PKCE, RFC 7636)."""

    @classmethod
    def begin(cls) -> SignInAttempt:
        """Return a new one."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @classmethod
    def of_cookie(cls, cookie: str, state: str) -> SignInAttempt:
        """Return the attempt of the browser that comes back with this state.

        Raises InvalidSignIn.
        """
        parts = cookie.split(_SEPARATOR)
        if len(parts) != 3 or not all(parts):
            raise InvalidSignIn(
                "state: this browser began no sign-in, or it has expired; sign in again",
                param="state",
            )
        attempt = cls(*parts)
        if not hmac.compare_digest(attempt.state.encode(), state.encode(errors="replace")):
            raise InvalidSignIn("state: it is of another sign-in; sign in again", param="state")
        return attempt

    def cookie(self) -> str:
        """Return what the browser keeps."""
        return _SEPARATOR.join((self.state, self.nonce, self.verifier))

    def parameters(self) -> dict[str, str]:
        """Return the parameters for the provider."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
