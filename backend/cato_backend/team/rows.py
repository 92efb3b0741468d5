"""Rows of the store as records, and the queries whose columns they are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeAlias

from cato_backend.team.records import AccessToken, Person, Role, Team, UsageLimits

Row: TypeAlias = tuple[Any, ...]

LIMITS = ", ".join(field.name for field in fields(UsageLimits))
TEAM = f"SELECT name, weight, priority, shared_context, {LIMITS} FROM teams"
PERSON = f"SELECT name, team, role, weight, {LIMITS} FROM people"
TOKEN = """
SELECT t.id, t.name, t.person, p.team, p.role, t.most_role, t.starts, t.created, t.expires,
       t.revoked, t.last_used
FROM tokens t JOIN people p ON p.name = t.person"""
KNOWN_TOKEN = "SELECT hash, id, person, most_role, expires, revoked FROM tokens"


class KnownToken(NamedTuple):
    """Fields of a token that the index keeps."""

    hash: bytes
    id: str
    person: str
    most_role: str
    """The highest role that it has, whatever the person's is."""
    expires: float | None
    revoked: float | None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of the store up to a revision."""

    revision: int
    teams: tuple[Team, ...] = ()
    people: tuple[Person, ...] = ()
    tokens: tuple[KnownToken, ...] = ()


def team_of(row: Row) -> Team:
    """Return the team of a row of `TEAM`."""
    name, weight, priority, shared_context, *limits = row
    return Team(name, weight, priority, UsageLimits(*limits), shared_context)


def person_of(row: Row) -> Person:
    """Return the person of a row of `PERSON`."""
    name, team, role, weight, *limits = row
    return Person(name, team, Role(role), weight, UsageLimits(*limits))


def token_of(row: Row) -> AccessToken:
    """Return the token of a row of `TOKEN`."""
    token_id, name, person, team, role, most_role, *rest = row
    role = Role(role).at_most(Role(most_role))
    return AccessToken(token_id, name, person, team, role, *rest)
