"""People, teams and tokens in memory, so that a request's token is resolved without disk access."""

from __future__ import annotations

import math
from typing import NamedTuple

from cato_backend.errors import TokenExpired, TokenRevoked
from cato_backend.requests import value
from cato_backend.team.records import Changes, KnownToken, Person, Role, Team, iso_time, token_hash

REVOKED = -math.inf
"""When a revoked token ends: before any time."""
_TENANT_MARK = "@"
"""Begins the tenant of a person; the tenant of a token in a file is a hexadecimal hash."""


@value
class Requester:
    """The sender of a request. A token of a file, and a server without tokens, name no person."""

    tenant: str = ""
    person: str | None = None
    team: str | None = None
    role: Role = Role.ADMIN
    token_id: str = ""
    most_role: Role = Role.ADMIN
    """The highest role that the token can have, should the person get a higher one."""


class _Tables(NamedTuple):
    teams: dict[str, Team]
    people: dict[str, Person]
    tokens: dict[bytes, KnownToken]
    ends: dict[str, float]
    """By the id of a token that expires, when it does."""

    def update(self, changes: Changes) -> None:
        # Nothing refers to a row that is not there yet.
        self.teams.update((team.name, team) for team in changes.teams)
        self.people.update((person.name, person) for person in changes.people)
        self.tokens.update((token.hash, token) for token in changes.tokens)
        for token in changes.tokens:
            ends = token.expires if token.revoked is None else REVOKED
            if ends is not None:
                self.ends[token.id] = ends


class TeamIndex:
    """A copy of the store that follows its changes. A look-up takes microseconds.

    Look-ups may continue while another thread takes over what has changed.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.has_tokens = False
        """Whether there has ever been a token, valid or not; it stays so."""
        self._tables = _Tables({}, {}, {}, {})

    def apply(self, changes: Changes) -> None:
        """Take over what has changed in the store."""
        self._tables.update(changes)
        self._is_at(changes)

    def replace(self, everything: Changes) -> None:
        """Take over another store in one step: no request sees a part of it."""
        tables = _Tables({}, {}, {}, {})
        tables.update(everything)
        self._tables = tables
        self._is_at(everything)

    def _is_at(self, changes: Changes) -> None:
        self.revision = changes.revision
        self.has_tokens = self.has_tokens or bool(self._tables.tokens)

    def find(self, secret: str, now: float) -> Requester | None:
        """Return whose token this is; None where it is unknown.

        Raises TokenExpired, TokenRevoked.
        """
        tables = self._tables
        token = tables.tokens.get(token_hash(secret))
        if token is None:
            return None
        if token.revoked is not None:
            raise TokenRevoked("authorization: this token was revoked; ask for a new one")
        if token.expires is not None and token.expires <= now:
            raise TokenExpired(
                f"authorization: this token expired at {iso_time(token.expires)}; ask for a new one"
            )
        person = tables.people[token.person]
        most = Role(token.most_role)
        role = person.role.at_most(most)
        return Requester(tenant_of(person.name), person.name, person.team, role, token.id, most)

    def ends(self, token_id: str) -> float | None:
        """Return when the token of this id ends, `REVOKED` where it was revoked; None: never."""
        return self._tables.ends.get(token_id)

    def member(self, tenant: str) -> tuple[Team, Person] | None:
        """Return the team and the person behind a tenant; None where it is no person's."""
        tables = self._tables
        person = tables.people.get(tenant[1:]) if tenant.startswith(_TENANT_MARK) else None
        return None if person is None else (tables.teams[person.team], person)


def tenant_of(person: str) -> str:
    """Return the tenant of a person, whichever of their tokens they use."""
    return _TENANT_MARK + person
