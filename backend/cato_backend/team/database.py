"""The file of the store: its schema, its permissions, and its errors."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cato_backend.errors import ConfigError
from cato_backend.wire.state_files import complaint

VERSION = 1
_APPLICATION = 0x4341544F
"""`CATO`: distinguishes the store from other SQLite files."""
_BUSY_S = 5.0
_LIMITS = """
    requests_per_minute INTEGER, concurrent_requests INTEGER,
    output_tokens_per_day INTEGER, engine_seconds_per_day REAL"""
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE teams (
    name TEXT PRIMARY KEY, weight REAL NOT NULL, priority INTEGER NOT NULL,
    shared_context TEXT NOT NULL, {_LIMITS}, revision INTEGER NOT NULL);
CREATE TABLE people (
    name TEXT PRIMARY KEY, team TEXT NOT NULL REFERENCES teams (name), role TEXT NOT NULL,
    weight REAL NOT NULL, {_LIMITS}, revision INTEGER NOT NULL);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, person TEXT NOT NULL REFERENCES people (name),
    most_role TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, starts TEXT NOT NULL,
    created REAL NOT NULL, expires REAL, revoked REAL, last_used REAL, revision INTEGER NOT NULL);
CREATE TABLE usage (
    day TEXT NOT NULL, team TEXT NOT NULL, person TEXT NOT NULL, task TEXT NOT NULL,
    requests INTEGER NOT NULL, output_tokens INTEGER NOT NULL, engine_seconds REAL NOT NULL,
    PRIMARY KEY (day, team, person, task));
CREATE INDEX teams_by_revision ON teams (revision);
CREATE INDEX people_by_revision ON people (revision);
CREATE INDEX tokens_by_revision ON tokens (revision);
CREATE INDEX tokens_by_person ON tokens (person, name);
INSERT INTO meta VALUES ('revision', 0);
INSERT INTO meta VALUES ('salt_key', x'{{salt_key}}');
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the store; make it where there is none, readable for this user alone.

    Raises ConfigError.
    """
    with explained(path):
        _make_or_check(path)
        connection = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Generator[sqlite3.Connection]:
    """Commit what the block writes, or nothing of it. Raises ConfigError."""
    with explained(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


@contextmanager
def snapshot(connection: sqlite3.Connection, path: Path) -> Generator[None]:
    """Let the block read the store as it is at one moment. Raises ConfigError."""
    with explained(path):
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.rollback()


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Raise ConfigError for what SQLite and the file system complain of."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ConfigError(
                f"team.store: {path} is locked by another program for more than {_BUSY_S:g} s;"
                " end the program that holds it, and try again"
            ) from error
        raise ConfigError(f"team.store: {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ConfigError(
            f"team.store: {path} is no SQLite database ({error}); name another file, or move it"
            " away and let `cato team create` make a new one"
        ) from error
    except OSError as error:
        raise ConfigError(f"team.store: {path}: {error.strerror}") from error


def check_private(field: str, path: Path) -> None:
    """Refuse a file of secrets that every user of the machine can read. Raises ConfigError."""
    found = complaint(path)
    if found:
        raise ConfigError(f"{field}: {found}")


def _make_or_check(path: Path) -> None:
    if path.exists():
        check_private("team.store", path)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not application and not tables:
        _make_schema(connection)
    elif application != _APPLICATION:
        raise ConfigError(f"team.store: {path} is a database of another program; name another file")
    elif version != VERSION:
        raise ConfigError(
            f"team.store: {path} has version {version}, expected {VERSION}; use the CATO that wrote"
            " it, or name another file"
        )
    connection.execute("PRAGMA foreign_keys = ON")


def _make_schema(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    try:
        connection.executescript(_SCHEMA.format(salt_key=secrets.token_hex(32)))
    except sqlite3.OperationalError:
        connection.rollback()
        # Another process made it at the same time.
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            raise
