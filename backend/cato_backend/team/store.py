"""The store of people, teams and tokens: one SQLite file, several programs."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from cato_backend.errors import TeamError
from cato_backend.team.database import connect, explained, snapshot, transaction
from cato_backend.team.records import (
    KNOWN_TOKEN,
    LIMITS,
    PERSON,
    PREFIX,
    SECRET_BYTES,
    SHOWN_CHARS,
    TEAM,
    TOKEN,
    AccessToken,
    Changes,
    KnownToken,
    NewToken,
    Person,
    Role,
    Row,
    Team,
    begins,
    checked_name,
    person_of,
    team_of,
    token_hash,
    token_of,
)

_MOST_TOKENS = 100
"""Valid ones of one person."""
_MOST_A_DAY = 500
"""New ones of one person: those that are revoked stay in the store, and in each server's memory."""
_DAY_S = 86_400.0


class TeamStore:
    """Reads and writes the file. One thread at a time; raises ConfigError where it is unusable."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._connection = connect(path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # -- teams and people ----------------------------------------------------------------------

    def teams(self) -> list[Team]:
        """Return every team, by name."""
        return [team_of(row) for row in self._read(f"{TEAM} ORDER BY name")]

    def team(self, name: str) -> Team:
        """Return one team. Raises TeamError."""
        for row in self._read(f"{TEAM} WHERE name = ?", name):
            return team_of(row)
        raise TeamError("team", f"team: no team {name!r}; make it: cato team create {name!r}")

    def create_team(self, team: Team) -> None:
        """Add a team. Raises TeamError."""
        checked_name("team", team.name)
        if any(each.name == team.name for each in self.teams()):
            raise TeamError("team", f"team: {team.name!r} exists; change it: cato team set")
        self.save_team(team)

    def save_team(self, team: Team) -> None:
        """Add a team, or change the one of this name."""
        values = (team.name, team.weight, team.priority, team.shared_context, *astuple(team.limits))
        self._save("teams", f"name, weight, priority, shared_context, {LIMITS}", values)

    def people(self) -> list[Person]:
        """Return all people, by name."""
        return [person_of(row) for row in self._read(f"{PERSON} ORDER BY name")]

    def person(self, name: str) -> Person:
        """Return one person. Raises TeamError."""
        for row in self._read(f"{PERSON} WHERE name = ?", name):
            return person_of(row)
        raise TeamError(
            "person",
            f"person: no person {name!r}; add them: cato person create {name!r} --team TEAM",
        )

    def create_person(self, person: Person) -> None:
        """Add a person to a team. Raises TeamError."""
        checked_name("person", person.name)
        if any(True for _ in self._read(f"{PERSON} WHERE name = ?", person.name)):
            raise TeamError("person", f"person: {person.name!r} exists; change it: cato person set")
        self.save_person(person)

    def save_person(self, person: Person) -> None:
        """Add a person, or change the one of this name. Raises TeamError."""
        self.team(person.team)
        values = (person.name, person.team, person.role, person.weight, *astuple(person.limits))
        self._save("people", f"name, team, role, weight, {LIMITS}", values)

    # -- tokens --------------------------------------------------------------------------------

    def create_token(
        self,
        name: str,
        person: str,
        expires: float | None = None,
        most_role: Role = Role.ADMIN,
    ) -> NewToken:
        """Make a token. Raises TeamError for an unknown person or a name in use.

        `most_role`: the highest role that it has, should the person get a higher one.
        """
        name, now = checked_name("name", name), self._clock()
        owner = self.person(person)
        known = self.tokens(person)
        if sum(each.created > now - _DAY_S for each in known) >= _MOST_A_DAY:
            raise TeamError("person", f"person: {person} got {_MOST_A_DAY} tokens within a day")
        valid = [each.name for each in known if each.state(now) == "valid"]
        if len(valid) >= _MOST_TOKENS:
            raise TeamError("person", f"person: {person} has {len(valid)} valid tokens; revoke one")
        if name in valid:
            raise TeamError(
                "name",
                f"name: {person} has a valid token {name!r}; revoke it, or choose another name",
            )
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        starts, token_id = secret[:SHOWN_CHARS], "tok_" + secrets.token_hex(8)
        values = (token_id, name, person, most_role, token_hash(secret), starts, now, expires)
        self._save("tokens", "id, name, person, most_role, hash, starts, created, expires", values)
        role = owner.role.at_most(most_role)
        token = AccessToken(token_id, name, person, owner.team, role, starts, now, expires)
        return NewToken(secret, token)

    def tokens(self, person: str | None = None, team: str | None = None) -> list[AccessToken]:
        """Return tokens, the oldest first: all, or those of a person or a team."""
        rows = self._read(
            f"{TOKEN} WHERE (?1 IS NULL OR t.person = ?1) AND (?2 IS NULL OR p.team = ?2)"
            " ORDER BY t.created, t.id",
            person,
            team,
        )
        return [token_of(row) for row in rows]

    def token(self, token_id: str) -> AccessToken:
        """Return one token. Raises TeamError."""
        for row in self._read(f"{TOKEN} WHERE t.id = ?", token_id):
            return token_of(row)
        raise TeamError("id", f"id: no token {token_id[:80]!r}")

    def find_token(self, text: str, person: str | None = None) -> AccessToken:
        """Return the one token of this name or id, or whose name, id or secret begins so.

        Raises TeamError.
        """
        known = self.tokens(person)
        found = [each for each in known if text in (each.id, each.name)] or [
            each for each in known if text and begins(each, text)
        ]
        usable = [each for each in found if each.revoked is None] or found
        if len(usable) == 1:
            return usable[0]
        if not usable:
            raise TeamError("name", f"name: no token {text!r}; see: cato token list")
        shown = ", ".join(f"{each.id} ({each.person}, {each.name})" for each in usable[:5])
        raise TeamError("name", f"name: {text!r} fits {len(usable)} tokens: {shown}; give an id")

    def revoke(self, token_id: str) -> AccessToken:
        """Revoke a token permanently; one that is revoked stays as it is. Raises TeamError."""
        with transaction(self._connection, self.path) as connection:
            connection.execute(
                "UPDATE tokens SET revoked = ?, revision = ? WHERE id = ? AND revoked IS NULL",
                (self._clock(), _next_revision(connection), token_id),
            )
        return self.token(token_id)

    def revoke_all(self, person: str) -> list[AccessToken]:
        """Revoke every token of a person that is not revoked yet, and return these.

        Raises TeamError.
        """
        self.person(person)
        with transaction(self._connection, self.path) as connection:
            ended = connection.execute(
                "UPDATE tokens SET revoked = ?, revision = ? WHERE person = ? AND revoked IS NULL"
                " RETURNING id",
                (self._clock(), _next_revision(connection), person),
            ).fetchall()
        ids = {token_id for (token_id,) in ended}
        return [token for token in self.tokens(person) if token.id in ids]

    def note_used(self, times: Iterable[tuple[str, float]]) -> None:
        """Record when tokens were used last: pairs of id and time."""
        rows = [(moment, token_id) for token_id, moment in times]
        with transaction(self._connection, self.path) as connection:
            connection.executemany("UPDATE tokens SET last_used = ? WHERE id = ?", rows)

    # -- changes -------------------------------------------------------------------------------

    def changes(self, since: int) -> Changes:
        """Return what has changed since a revision, 0 for everything."""
        changed = "WHERE revision > ?"
        # One transaction: else a token could be read without its person, added meanwhile.
        with snapshot(self._connection, self.path):
            revision: int = self._meta("revision")
            if revision == since:
                return Changes(since)
            return Changes(
                revision,
                tuple(team_of(row) for row in self._read(f"{TEAM} {changed}", since)),
                tuple(person_of(row) for row in self._read(f"{PERSON} {changed}", since)),
                tuple(KnownToken(*row) for row in self._read(f"{KNOWN_TOKEN} {changed}", since)),
            )

    def salt_key(self) -> bytes:
        """Return the secret from which the salts of prefix caches are made."""
        key: bytes = self._meta("salt_key")
        return key

    @property
    def connection(self) -> sqlite3.Connection:
        """The open file, for `UsageTable`."""
        return self._connection

    def _meta(self, key: str) -> Any:
        ((value,),) = self._read("SELECT value FROM meta WHERE key = ?", key)
        return value

    def _read(self, statement: str, *values: object) -> list[Row]:
        with explained(self.path):
            return self._connection.execute(statement, values).fetchall()

    def _save(self, table: str, columns: str, values: tuple[object, ...]) -> None:
        """Insert a row, or replace the one with the same key."""
        names = columns.split(", ")
        places = ", ".join("?" * (len(names) + 1))
        updates = ", ".join(f"{name} = excluded.{name}" for name in (*names, "revision"))
        with transaction(self._connection, self.path) as connection:
            connection.execute(
                f"INSERT INTO {table} ({columns}, revision) VALUES ({places})"
                f" ON CONFLICT ({names[0]}) DO UPDATE SET {updates}",
                (*values, _next_revision(connection)),
            )


def _next_revision(connection: sqlite3.Connection) -> int:
    """Return the revision of what this transaction changes."""
    statement = "UPDATE meta SET value = value + 1 WHERE key = 'revision' RETURNING value"
    revision: int = connection.execute(statement).fetchone()[0]
    return revision
