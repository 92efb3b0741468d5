"""Finds or makes the person in the store who signs in."""

from __future__ import annotations

from dataclasses import asdict, replace

from cato_backend.config.sign_in import OidcConfig
from cato_backend.errors import SignInRefused
from cato_backend.sign_in.admission import AdmittedPerson
from cato_backend.team.audit import AuditLog
from cato_backend.team.identities import is_linked, link, person_of
from cato_backend.team.records import Person, Role, Team
from cato_backend.team.store import TeamStore

BY = "sign-in"
"""Who makes and changes people, in the audit log."""


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
