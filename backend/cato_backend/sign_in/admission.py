"""Who may sign in, and as whom: from the claims of a provider. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from cato_backend.config.sign_in import EVERYBODY, OidcConfig
from cato_backend.errors import SignInRefused, TeamError
from cato_backend.team.identities import Identity
from cato_backend.team.records import Role, checked_name

Claims: TypeAlias = Mapping[str, Any]
"""What a provider says of a person, checked."""


@dataclass(frozen=True, slots=True)
class AdmittedPerson:
    """A person who may sign in."""

    identity: Identity
    name: str
    """Of their person in the store, which is made at the first sign-in."""
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
