"""The store of people, teams and tokens: what it keeps, what it refuses, who else may change it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cato_backend.errors import ConfigError, TeamError, TokenExpired, TokenRevoked
from cato_backend.team.budgets import UsageKey, Used
from cato_backend.team.index import TeamIndex
from cato_backend.team.records import (
    NewToken,
    Person,
    Role,
    Team,
    UsageLimits,
    iso_time,
    parse_expiry,
    token_hash,
)
from cato_backend.team.store import TeamStore
from cato_backend.team.synchronizer import add_usage, usage_of

NOW = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TeamStore]:
    """A team with two people."""
    made = TeamStore(tmp_path / "team" / "team.sqlite3", lambda: NOW)
    made.create_team(Team("web", weight=2.0, priority=1, shared_context="monorepo"))
    made.create_person(Person("ada", "web"))
    made.create_person(Person("lee", "web", Role.LEAD, limits=UsageLimits(concurrent_requests=3)))
    yield made
    made.close()


def test_what_is_written_is_read_again(store: TeamStore) -> None:
    again = TeamStore(store.path)
    assert again.teams() == [Team("web", 2.0, 1, shared_context="monorepo")]
    assert [each.name for each in again.people()] == ["ada", "lee"]
    assert again.person("lee").limits.concurrent_requests == 3
    assert again.salt_key() == store.salt_key()
    assert len(store.salt_key()) == 32
    again.close()


def test_only_its_owner_can_read_the_file(store: TeamStore) -> None:
    store.create_token("laptop", "ada")
    for file in store.path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_a_secret_is_in_no_file(store: TeamStore) -> None:
    secret, token = store.create_token("laptop", "ada")
    assert len(secret) > 43
    held = b"".join(file.read_bytes() for file in store.path.parent.iterdir())
    assert secret.encode() not in held
    assert token_hash(secret) in held
    assert secret.startswith(token.starts)
    assert len(token.starts) < 12


def test_the_index_follows_what_changes(store: TeamStore) -> None:
    index, (secret, token) = TeamIndex(), store.create_token("laptop", "ada", NOW + 60)
    index.apply(store.changes(0))
    found = index.find(secret, NOW)
    assert found is not None
    assert (found.person, found.team, found.role) == ("ada", "web", Role.USER)
    assert index.find(secret + "x", NOW) is None
    with pytest.raises(TokenExpired, match="expired at 2027-01-15T08:01:00Z"):
        index.find(secret, NOW + 60)

    store.save_person(Person("ada", "web", Role.ADMIN))
    changed = store.changes(index.revision)
    assert (len(changed.teams), len(changed.people), len(changed.tokens)) == (0, 1, 0)
    index.apply(changed)
    found = index.find(secret, NOW)
    assert found is not None
    assert found.role is Role.ADMIN

    store.revoke(token.id)
    store.revoke(token.id)
    index.apply(store.changes(index.revision))
    with pytest.raises(TokenRevoked):
        index.find(secret, NOW)
    assert store.changes(index.revision).tokens == ()


def test_a_name_serves_again_after_its_token_was_revoked(store: TeamStore) -> None:
    first = store.create_token("laptop", "ada").token
    with pytest.raises(TeamError, match="ada has a valid token 'laptop'"):
        store.create_token("laptop", "ada")
    store.revoke(first.id)
    second = store.create_token("laptop", "ada").token
    assert store.find_token("laptop") == second
    assert store.find_token(second.starts) == second
    assert store.find_token(second.id[:12]) == second
    store.create_token("laptop", "lee")
    with pytest.raises(TeamError, match="'laptop' fits 2 tokens"):
        store.find_token("laptop")
    assert store.find_token("lap", "ada") == second
    with pytest.raises(TeamError, match="no token"):
        store.find_token("cato_")


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (lambda s: s.create_token("x", "nobody"), "no person 'nobody'; add them: cato person"),
        (lambda s: s.create_person(Person("eve", "none")), "no team 'none'; make it: cato team"),
        (lambda s: s.create_person(Person("ada", "web")), "'ada' exists"),
        (lambda s: s.create_team(Team("web")), "'web' exists"),
        (lambda s: s.create_team(Team("a\nb")), "expected 1 to 64 letters"),
        (lambda s: s.create_token("<b>", "ada"), "expected 1 to 64 letters"),
        (lambda s: s.create_person(Person("'; DROP TABLE tokens; --", "web")), "expected 1 to"),
        (lambda s: s.token("tok_none"), "no token 'tok_none'"),
    ],
)
def test_what_cannot_be_is_refused(store: TeamStore, work: object, said: str) -> None:
    assert callable(work)
    with pytest.raises(TeamError, match=said):
        work(store)
    assert [each.name for each in store.people()] == ["ada", "lee"]


def test_the_number_of_a_persons_tokens_is_limited(store: TeamStore) -> None:
    tokens = [store.create_token(f"t{number}", "ada").token for number in range(100)]
    with pytest.raises(TeamError, match="ada has 100 valid tokens; revoke one"):
        store.create_token("one more", "ada")
    store.revoke(tokens[0].id)
    store.create_token("one more", "ada")


def test_the_number_of_new_tokens_per_day_is_limited(store: TeamStore) -> None:
    store.connection.execute("PRAGMA synchronous = OFF")
    for _ in range(500):
        store.revoke(store.create_token("laptop", "ada").token.id)
    with pytest.raises(TeamError, match="got 500 tokens within a day"):
        store.create_token("laptop", "ada")
    store.create_token("laptop", "lee")
    later = TeamStore(store.path, lambda: NOW + 86_400)
    later.create_token("laptop", "ada")
    later.close()


def test_usage_adds_up(store: TeamStore) -> None:
    key = UsageKey("2027-01-15", "web", "ada", "completion")
    add_usage(store, {key: Used(2, 30, 0.5)})
    add_usage(store, {key: Used(1, 10, 0.25), key._replace(task="agent"): Used(1, 5, 1.0)})
    assert usage_of(store, "2027-01-15") == [("web", "ada", Used(4, 45, 1.75))]
    assert usage_of(store, "2027-01-16") == []


# -- files that are no store ---------------------------------------------------------------------


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a database, but long enough to be looked at\n" * 40)
    text.chmod(0o600)
    with pytest.raises(ConfigError, match="is no SQLite database"):
        TeamStore(text)
    other = tmp_path / "other"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    other.chmod(0o600)
    with pytest.raises(ConfigError, match="a database of another program"):
        TeamStore(other)
    with pytest.raises(ConfigError, match=r"team\.store"):
        TeamStore(tmp_path)


def test_a_store_of_another_version_is_refused(store: TeamStore) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="has version 99, expected 1"):
        TeamStore(store.path)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666])
def test_a_store_for_everybody_is_refused(store: TeamStore, mode: int) -> None:
    store.path.chmod(mode)
    with pytest.raises(ConfigError, match=f"run: chmod 600 {store.path}"):
        TeamStore(store.path)


def test_a_locked_store_is_named(store: TeamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.connection.execute("PRAGMA busy_timeout = 10")
    with sqlite3.connect(store.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigError, match="is locked by another program"):
            store.create_team(Team("api"))
        other.execute("ROLLBACK")
    store.create_team(Team("api"))


# -- times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", "2027-04-15T08:00:00Z"),
        ("12h", "2027-01-15T20:00:00Z"),
        ("4w", "2027-02-12T08:00:00Z"),
        ("2027-06-01", "2027-06-01T00:00:00Z"),
        ("2027-06-01T10:00:00+02:00", "2027-06-01T08:00:00Z"),
    ],
)
def test_times_to_come(text: str, expected: str) -> None:
    assert iso_time(parse_expiry(text, NOW)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2020-01-01", "has passed"),
        ("0d", "has passed"),
        ("99999w", "too far away"),
        ("9999-01-01", "too far away"),
        ("soon", "expected a duration"),
        ("-3d", "expected a duration"),
        ("", "expected a duration"),
    ],
)
def test_other_times_are_refused(text: str, said: str) -> None:
    with pytest.raises(TeamError, match=said) as caught:
        parse_expiry(text, NOW)
    assert caught.value.field == "expires"


def test_changes_are_those_of_one_moment(store: TeamStore) -> None:
    """Somebody and their token are added while the changes are read, after the people."""
    store.create_team(Team("api"))
    other, added = TeamStore(store.path), list[NewToken]()

    def add(statement: str) -> None:
        if "FROM tokens" in statement and not added:
            other.create_person(Person("late", "api"))
            added.append(other.create_token("laptop", "late"))

    store.connection.set_trace_callback(add)
    index = TeamIndex()
    index.apply(store.changes(0))
    other.close()
    (late,) = added
    assert index.find(late.secret, 0.0) is None
    index.apply(store.changes(index.revision))
    found = index.find(late.secret, 0.0)
    assert found is not None
    assert found.person == "late"
