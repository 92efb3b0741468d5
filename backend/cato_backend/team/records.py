"""The records of the store of people and teams, as frozen values. Times in seconds since 1970."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from cato_backend.errors import TeamError

_NAME = re.compile(r"\w[\w .@+-]{0,63}")

_DURATION = re.compile(r"([0-9]{1,5})([mhdw])")

_UNIT_S = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

TOKEN = """
SELECT t.id, t.name, t.person, p.team, p.role, t.most_role, t.starts, t.created, t.expires,
       t.revoked, t.last_used
FROM tokens t JOIN people p ON p.name = t.person"""

KNOWN_TOKEN = "SELECT hash, id, person, most_role, expires, revoked FROM tokens"

PREFIX = "cato_"

SECRET_BYTES = 32


_LONGEST_EXPIRY = timedelta(days=20 * 366)


class Role(StrEnum):
    """Roles of a person; each includes the rights of those before it."""

    USER = "user"
    LEAD = "lead"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Return whether this role may do all that the other may."""
        return _RANKS[self] >= _RANKS[other]

    def at_most(self, other: Role) -> Role:
        """Return the lower one of both."""
        return other if self.includes(other) else self


_RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """Limits of a team or a person; None: no limit."""

    requests_per_minute: int | None = None
    concurrent_requests: int | None = None
    output_tokens_per_day: int | None = None
    engine_seconds_per_day: float | None = None


NO_LIMITS = UsageLimits()


@dataclass(frozen=True, slots=True)
class Team:
    """People who share a part of the fleet."""

    name: str
    weight: float = 1.0
    """Its part of the fleet is to those of other teams as their weights."""
    priority: int = 0
    """Requests of a higher priority are looked at first, whatever the shares are."""
    limits: UsageLimits = NO_LIMITS
    shared_context: str = ""
    """Teams with the same one share the prefix cache; empty: shared with no other team."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person who has tokens."""

    name: str
    team: str
    role: Role = Role.USER
    weight: float = 1.0
    """Within the team."""
    limits: UsageLimits = NO_LIMITS


Key: TypeAlias = tuple[str, str]
"""`team` or `person`, and the name."""


def limited(team: Team, person: Person) -> Iterator[tuple[Key, UsageLimits]]:
    """Yield what has limits of its own: the team, then the person."""
    yield ("team", team.name), team.limits
    yield ("person", person.name), person.limits


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token without its secret, of which the store has only a hash."""

    id: str
    name: str
    person: str
    team: str
    role: Role
    starts: str
    """The first characters of the secret, to recognize it by."""
    created: float
    expires: float | None = None
    revoked: float | None = None
    last_used: float | None = None

    def state(self, now: float) -> str:
        """Return `valid`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


def checked_name(field: str, name: str) -> str:
    """Return the name without spaces around it. Raises TeamError."""
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise TeamError(
            field,
            f"{field}: got {name[:80]!r}, expected 1 to 64 letters, digits, spaces and . @ + - _,"
            " beginning with a letter, a digit or _",
        )
    return name


def parse_expiry(text: str, now: float) -> float:
    """Return the time that `90d`, `12h`, `2027-01-31` or an ISO 8601 time stands for.

    Raises TeamError.
    """
    found = _DURATION.fullmatch(text.strip())
    until = now + int(found[1]) * _UNIT_S[found[2]] if found else _date(text)
    if until <= now:
        raise TeamError("expires", f"expires: {text} has passed; expected a time to come")
    if until > now + _LONGEST_EXPIRY.total_seconds():
        raise TeamError("expires", f"expires: {text} is too far away; expected 20 years at most")
    return until


def iso_time(seconds: float | None) -> str | None:
    """Return the time in ISO 8601, UTC; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise TeamError(
            "expires",
            f"expires: got {text[:40]!r}, expected a duration such as 90d, 12h or 4w,"
            " or a date such as 2027-01-31",
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


Row: TypeAlias = tuple[Any, ...]


LIMITS = ", ".join(field.name for field in fields(UsageLimits))


TEAM = f"SELECT name, weight, priority, shared_context, {LIMITS} FROM teams"


PERSON = f"SELECT name, team, role, weight, {LIMITS} FROM people"


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


SHOWN_CHARS = len(PREFIX) + 6


class NewToken(NamedTuple):
    """A new token. Its secret is stored nowhere else."""

    secret: str
    token: AccessToken

    def __repr__(self) -> str:
        return f"NewToken({self.token!r})"


def token_hash(secret: str) -> bytes:
    """Return what the store keeps of a secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def begins(token: AccessToken, text: str) -> bool:
    """Return whether the text is the beginning of the token's name, id or secret."""
    if text in PREFIX:
        return False
    return any(each.startswith(text) for each in (token.name, token.id, token.starts))
