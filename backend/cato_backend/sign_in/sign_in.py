"""The server's sign-in: the provider, and the people of the store who sign in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cato_backend.clock import monotonic
from cato_backend.config.sign_in import OidcConfig
from cato_backend.errors import ConfigError, ProviderUnavailable, SignInRefused, TeamError
from cato_backend.sign_in.admission import AdmittedPerson, SignInAttempt, admitted
from cato_backend.sign_in.devices import WaitingDevice, WaitingDevices
from cato_backend.sign_in.provider import Provider
from cato_backend.team.audit import AuditLog
from cato_backend.team.database import check_private
from cato_backend.team.identities import (
    check_may_grant,
    create_device_token,
    create_session_token,
    is_linked,
    link,
    person_of,
)
from cato_backend.team.index import Requester
from cato_backend.team.live import LiveTeams
from cato_backend.team.records import NewToken, Person, Role, Team
from cato_backend.team.store import TeamStore

BY = "sign-in"
"""Who makes and changes people, in the audit log."""

SECRET_VARIABLE = "CATO_OIDC_CLIENT_SECRET"

_MARK_CHARS = 6
"""Of the state, by which the sessions of a person are told apart."""


def signed_in(
    store: TeamStore, audit: AuditLog, visitor: AdmittedPerson, config: OidcConfig
) -> Person:
    """Return the person who signs in: made at the first time, changed as their groups say.

    Raises SignInRefused, TeamError.
    """
    known = person_of(store, visitor.identity)
    person = store.person(known) if known else _linked(store, audit, visitor, config)
    changed = replace(person, team=visitor.team or person.team, role=visitor.role or person.role)
    if changed != person:
        _ensure_team(store, audit, changed.team)
        store.save_person(changed)
        audit.changed(
            BY, "person changed", person=person.name, team=changed.team, role=changed.role
        )
    return changed


def _linked(
    store: TeamStore, audit: AuditLog, visitor: AdmittedPerson, config: OidcConfig
) -> Person:
    """Return the person of a first sign-in."""
    person = next((each for each in store.people() if each.name == visitor.name), None)
    if person is None:
        person = _new(store, audit, visitor, config)
    else:
        _check_may_link(store, visitor, config)
    link(store, visitor.identity, person.name)
    audit.changed(BY, "person linked", person=person.name, **asdict(visitor.identity))
    return person


def _check_may_link(store: TeamStore, visitor: AdmittedPerson, config: OidcConfig) -> None:
    """Raise SignInRefused unless the visitor may be linked to the existing person of this name.

    A linked person gets no second account of the provider: it may have given the address of one
    user to another.
    """
    is_theirs = visitor.email == visitor.name
    issuer = visitor.identity.issuer
    if config.link_by_email and is_theirs and not is_linked(store, issuer, visitor.name):
        return
    raise SignInRefused(
        f"sign-in: a person {visitor.name!r} exists already and is not linked to your account; ask"
        f" this server's administrator to run: cato person link {visitor.name!r} --subject"
        f" {visitor.identity.subject!r}",
        param="oidc.link_by_email",
    )


def _new(store: TeamStore, audit: AuditLog, visitor: AdmittedPerson, config: OidcConfig) -> Person:
    person = Person(visitor.name, visitor.team or config.team, visitor.role or Role.USER)
    _ensure_team(store, audit, person.team)
    store.create_person(person)
    audit.changed(BY, "person created", person=person.name, team=person.team, role=person.role)
    return person


def _ensure_team(store: TeamStore, audit: AuditLog, name: str) -> None:
    if all(team.name != name for team in store.teams()):
        store.create_team(Team(name))
        audit.changed(BY, "team created", team=name)


@dataclass(frozen=True, slots=True)
class SignIn:
    """The provider and the waiting devices. A person who signs in gets a token of the store."""

    config: OidcConfig
    provider: Provider
    devices: WaitingDevices
    teams: LiveTeams

    async def look(self, on_news: Callable[[str], None]) -> None:
        """Tell what is wrong with the provider now; a sign-in asks it again."""
        try:
            await self.provider.endpoints()
        except ProviderUnavailable as error:
            on_news(f"{error}; until then sign-in is not possible")

    async def session(self, code: str, attempt: SignInAttempt, redirect_uri: str) -> NewToken:
        """Return the token of a session, for the code that a browser brings from the provider.

        Raises InvalidSignIn, SignInRefused, ProviderUnavailable, StoreUnavailable.
        """
        claims = await self.provider.claims(code, attempt, redirect_uri)
        visitor = admitted(claims, self.config)

        def work(store: TeamStore, audit: AuditLog) -> NewToken:
            person = signed_in(store, audit, visitor, self.config)
            mark = attempt.state[:_MARK_CHARS]
            made = create_session_token(
                store, mark, person.name, time.time(), self.config.session_s
            )
            audit.changed(person.name, "signed in", token=made.token.id, person=person.name)
            return made

        return await self._made(work)

    async def end(self, token_id: str, person: str) -> None:
        """Revoke the token of a session. Raises StoreUnavailable."""

        def work(store: TeamStore, audit: AuditLog) -> None:
            store.revoke(token_id)
            audit.changed(person, "signed out", token=token_id, person=person)

        await self.teams.do(work)

    async def check_may_confirm(self, who: Requester) -> None:
        """Raise RoleTooLow where this token confirms no device, StoreUnavailable."""
        await self.teams.do(lambda store, _: check_may_grant(store, who))

    async def device_token(self, device_code: str) -> NewToken:
        """Return a token for a device whose code a person confirmed.

        It has the role user, whatever the person has: an editor needs no more. Raises
        AuthorizationPending, PolledTooOften, DeviceDenied, DeviceCodeExpired, SignInRefused,
        StoreUnavailable.
        """
        device, person = self.devices.take(device_code)
        expires = time.time() + self.config.device_s

        def work(store: TeamStore, audit: AuditLog) -> NewToken:
            made = create_device_token(store, device.user_code, person, expires)
            audit.changed(person, "device signed in", token=made.token.id, **_audited(device))
            return made

        return await self._made(work)

    async def _made(self, work: Callable[[TeamStore, AuditLog], NewToken]) -> NewToken:
        """Return the token that `work` makes. Raises SignInRefused, StoreUnavailable."""
        try:
            return await self.teams.do(work)
        except TeamError as error:
            raise SignInRefused(f"sign-in: {error}", param=error.field) from error


def _audited(device: WaitingDevice) -> dict[str, object]:
    return {"person": device.person, "client": device.client, "address": device.address}


def make_sign_in(config: OidcConfig, teams: LiveTeams) -> SignIn:
    """Return what a server needs. Raises ConfigError; ModuleNotFoundError without [oidc]."""
    provider = Provider(config, _secret(config), monotonic)
    return SignIn(config, provider, WaitingDevices(monotonic), teams)


def _secret(config: OidcConfig) -> str:
    """Return the client secret, empty where there is none. Raises ConfigError."""
    if not config.client_secret_file:
        return os.environ.get(SECRET_VARIABLE, "").strip()
    path = Path(config.client_secret_file).expanduser()
    try:
        check_private("oidc.client_secret_file", path)
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"oidc.client_secret_file: {path}: {error}") from error
    if not secret:
        raise ConfigError(f"oidc.client_secret_file: {path} is empty; write the secret into it")
    return secret
