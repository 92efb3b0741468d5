"""Accounts at providers of sign-ins, and the tokens that sign-ins make.

Sessions of the page are short-lived, so the store need not keep their tokens permanently.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from cato_backend.errors import RoleTooLow
from cato_backend.team.database import transaction
from cato_backend.team.index import Requester
from cato_backend.team.records import NewToken, Role
from cato_backend.team.store import TeamStore

_TABLE = """
CREATE TABLE IF NOT EXISTS identities (
    issuer TEXT NOT NULL, subject TEXT NOT NULL, person TEXT NOT NULL REFERENCES people (name),
    PRIMARY KEY (issuer, subject))"""

_PREFIX = "page "

_DEVICE_PREFIX = "device "

_KEPT_S = 7 * 86_400.0
"""How long an expired one stays in the list."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account at a provider. Its subject never changes; its name and address may."""

    issuer: str
    subject: str

    @classmethod
    def of(cls, issuer: str, subject: str) -> Identity:
        """Return the identity; an issuer with and without a slash at its end is the same."""
        return cls(issuer.rstrip("/"), subject)


def person_of(store: TeamStore, identity: Identity) -> str | None:
    """Return the name of the linked person; None where there is none. Raises ConfigError."""
    with _with_table(store) as connection:
        found = connection.execute(
            "SELECT person FROM identities WHERE issuer = ? AND subject = ?",
            (identity.issuer, identity.subject),
        ).fetchone()
    return None if found is None else str(found[0])


def is_linked(store: TeamStore, issuer: str, person: str) -> bool:
    """Return whether an account at this provider is linked to the person. Raises ConfigError."""
    with _with_table(store) as connection:
        found = connection.execute(
            "SELECT 1 FROM identities WHERE issuer = ? AND person = ?", (issuer, person)
        ).fetchone()
    return found is not None


def link(store: TeamStore, identity: Identity, person: str) -> None:
    """Link an account to one person of the store, instead of an older link. Raises ConfigError."""
    with _with_table(store) as connection:
        connection.execute(
            "INSERT INTO identities (issuer, subject, person) VALUES (?, ?, ?)"
            " ON CONFLICT (issuer, subject) DO UPDATE SET person = excluded.person",
            (identity.issuer, identity.subject, person),
        )


@contextmanager
def _with_table(store: TeamStore) -> Generator[sqlite3.Connection]:
    """Begin a transaction in which the table exists: a store of an older version has none."""
    with transaction(store.connection, store.path) as connection:
        connection.execute(_TABLE)
        yield connection


def create_session_token(
    store: TeamStore, mark: str, person: str, now: float, lasts_s: float
) -> NewToken:
    """Make the token of a sign-in on the page, and forget those that expired long ago.

    `mark` distinguishes it from others of the person. Raises TeamError.
    """
    with transaction(store.connection, store.path) as connection:
        connection.execute(
            "DELETE FROM tokens WHERE person = ? AND name LIKE ? AND expires < ?",
            (person, f"{_PREFIX}%", now - _KEPT_S),
        )
    return store.create_token(_PREFIX + mark, person, now + lasts_s)


def create_device_token(store: TeamStore, code: str, person: str, expires: float) -> NewToken:
    """Make the token of a device whose code the person has confirmed. Raises TeamError."""
    return store.create_token(_DEVICE_PREFIX + code, person, expires, Role.USER)


def check_may_grant(store: TeamStore, who: Requester) -> None:
    """Check that a token may make tokens. One of a device may not: they would outlive it.

    Raises RoleTooLow, TeamError.
    """
    if who.token_id and store.token(who.token_id).name.startswith(_DEVICE_PREFIX):
        raise RoleTooLow(
            "authorization: a token of a device makes no tokens and confirms no devices; sign in on"
            " the page"
        )
