"""Budgets of a day, limits of a minute, salts, and the audit log."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.errors import BudgetSpent, LimitReached, StoreUnavailable
from cato_backend.requests import Share, prompt_blocks
from cato_backend.team.audit import AuditLog
from cato_backend.team.budgets import DayBudgets, Reserved, UsageKey, Used, day_of
from cato_backend.team.index import TeamIndex, tenant_of
from cato_backend.team.live import LiveTeams, TeamSettings
from cato_backend.team.records import (
    Changes,
    KnownToken,
    Person,
    Role,
    Team,
    UsageLimits,
    token_hash,
)
from cato_backend.team.store import TeamStore
from cato_backend.team.terms import Isolation, RequestRates, mixed_salt, terms_of

DAY_S = 86_400.0
NOON = 20_000 * DAY_S + DAY_S / 2


@given(st.integers(0, 1000), st.sampled_from(["team", "person"]), st.booleans())
def test_a_budget_holds_to_a_hundredth(seed: int, scope: str, by_seconds: bool) -> None:
    """Thirty calls at a time of random lengths, that end in any order; over budget is refused."""
    dice = random.Random(seed)
    limits = UsageLimits(
        output_tokens_per_day=None if by_seconds else 20_000,
        engine_seconds_per_day=1000.0 if by_seconds else None,
    )
    none = UsageLimits()
    team = Team("web", limits=limits if scope == "team" else none)
    person = Person("ada", "web", limits=limits if scope == "person" else none)
    budgets, live = DayBudgets(), deque[Reserved]()
    tokens, seconds, is_over = 0, 0.0, False
    while live or not is_over:
        if len(live) < 30 and not is_over:
            reserved = budgets.reserve(team, person, 100, NOON)
            is_over = reserved.is_over and not live
            if reserved.is_over:
                budgets.cancel(reserved)
            else:
                live.append(reserved)
                continue
        live.rotate(dice.randrange(30))
        if live:
            used = Used(1, dice.randint(1, 100), dice.uniform(0.5, 1.5))
            tokens, seconds = tokens + used.output_tokens, seconds + used.engine_seconds
            budgets.release(live.popleft(), "completion", used, NOON)
    share = seconds / 1000 if by_seconds else tokens / 20_000
    assert 0.99 <= share <= 1.01


def test_a_day_begins_with_what_was_used_before_and_ends_at_midnight() -> None:
    team = Team("web", limits=UsageLimits(output_tokens_per_day=100))
    person = Person("ada", "web")
    budgets = DayBudgets()
    budgets.load(day_of(NOON), [("web", "lee", Used(1, 99, 1.0))])
    assert not budgets.is_spent(team, person, NOON)
    budgets.release(budgets.reserve(team, person, 1, NOON), "agent", Used(1, 1, 0.0), NOON)
    assert budgets.is_spent(team, person, NOON)
    assert not budgets.is_spent(team, person, NOON + DAY_S / 2)
    (saved,) = budgets.take_unsaved().items()
    assert saved == (UsageKey(day_of(NOON), "web", "ada", "agent"), Used(1, 1, 0.0))
    assert budgets.take_unsaved() == {}


def test_requests_a_minute_are_counted_in_any_minute() -> None:
    rates = RequestRates()
    team, person = Team("web", limits=UsageLimits(requests_per_minute=3)), Person("ada", "web")
    for now in (0.0, 30.0, 59.0):
        rates.enter(team, person, now)
    with pytest.raises(LimitReached, match="team 'web' may send 3 requests") as caught:
        rates.enter(team, Person("lee", "web"), 59.5)
    assert caught.value.retry_after_s == pytest.approx(0.5)
    rates.enter(team, person, 60.0)


def test_requests_at_once_are_counted_until_they_end() -> None:
    rates = RequestRates()
    team, person = Team("web"), Person("ada", "web", limits=UsageLimits(concurrent_requests=2))
    rates.enter(team, person, 0.0)
    rates.enter(team, person, 0.0)
    with pytest.raises(LimitReached, match="person 'ada' may have 2 requests at once"):
        rates.enter(team, person, 1.0)
    rates.enter(team, Person("lee", "web"), 1.0)
    rates.leave(team, person, 1.0)
    rates.enter(team, person, 1.0)


# -- terms -----------------------------------------------------------------------------------------


def salt(team: Team, person: str, isolation: Isolation = Isolation.TEAM, key: bytes = b"k") -> str:
    return terms_of(team, Person(person, team.name), isolation, key).cache_salt


def test_salts_keep_teams_or_people_apart() -> None:
    web, api = Team("web"), Team("api")
    assert salt(web, "ada") == salt(web, "lee") != salt(api, "bo")
    assert salt(web, "ada") != salt(web, "ada", key=b"other")
    assert salt(web, "ada", Isolation.PERSON) != salt(web, "lee", Isolation.PERSON)
    assert salt(web, "ada", Isolation.NONE) == ""
    shared = [Team(name, shared_context="monorepo") for name in ("web", "api")]
    assert salt(shared[0], "ada") == salt(shared[1], "bo") != salt(web, "ada")
    assert salt(Team("x"), "x", Isolation.PERSON) != salt(Team("x"), "x")
    assert len(salt(web, "ada")) == 64


def test_a_client_s_own_salt_divides_and_never_joins() -> None:
    web, api = salt(Team("web"), "ada"), salt(Team("api"), "bo")
    assert mixed_salt(web, None) == web
    assert mixed_salt(web, "mine") not in (web, "mine")
    assert mixed_salt(api, web) != web
    assert mixed_salt("", "mine") == "mine"


def test_prompts_with_different_salts_share_no_block_of_the_index() -> None:
    text = "x" * 1000
    plain, web, api = (prompt_blocks(text, "", salt) for salt in ("", "web", "api"))
    assert len(plain) == 3
    assert not set(plain) & set(web)
    assert not set(web) & set(api)
    assert prompt_blocks(text, "web") != web


def test_shares_are_those_of_team_and_person() -> None:
    terms = terms_of(Team("web", 2.0, 3), Person("ada", "web", weight=0.5), Isolation.TEAM, b"k")
    assert terms.share == Share(2.0, 0.5, 3)
    assert terms.team == "web"


# -- a live server's view --------------------------------------------------------------------------


async def test_a_running_server_sees_changes_and_writes_what_was_used(tmp_path: Path) -> None:
    path = tmp_path / "team.sqlite3"
    teams = LiveTeams(TeamSettings(path, refuses_over_budget=True), lambda: NOON)
    assert not teams.has_tokens
    watching = asyncio.create_task(teams.watch(pytest.fail))
    store = TeamStore(path)
    store.create_team(Team("web", limits=UsageLimits(output_tokens_per_day=10)))
    store.create_person(Person("ada", "web", Role.LEAD))
    secret, token = store.create_token("laptop", "ada")
    await teams.do(lambda *_: None)
    found = teams.find(secret)
    assert found is not None
    assert found.tenant == tenant_of("ada")
    with teams.admitted(found.tenant):
        reserved = teams.reserve(found.tenant, 10, may_refuse=True)
        teams.release(reserved, "agent", Used(1, 10, 0.5))
    with pytest.raises(BudgetSpent) as caught, teams.admitted(found.tenant):
        pytest.fail("admitted")
    assert caught.value.retry_after_s == DAY_S / 2
    watching.cancel()
    teams.close()
    assert store.token(token.id).last_used == NOON
    assert LiveTeams(TeamSettings(path), lambda: NOON).reserve(
        found.tenant, 1, may_refuse=True
    ) == Reserved(store.team("web"), store.person("ada"), 1, 0.0, is_over=True)
    (line,) = (tmp_path / "team.audit.jsonl").read_text().splitlines()
    assert {**json.loads(line), "at": ""} == {
        "at": "",
        "event": "requests",
        "person": "ada",
        "team": "web",
        "task": "agent",
        "requests": 1,
        "output_tokens": 10,
        "engine_seconds": 0.5,
    }
    store.close()


async def test_tokens_of_a_replaced_store_are_refused(tmp_path: Path) -> None:
    """By one with other people, by one without tokens, or by nothing at all."""
    path, secrets = tmp_path / "team.sqlite3", list[str]()
    for name in ("ada", "bo"):
        store = TeamStore(tmp_path / name)
        store.create_team(Team("web"))
        store.create_person(Person(name, "web"))
        secrets.append(store.create_token("laptop", name).secret)
        store.close()
    TeamStore(tmp_path / "empty").close()
    (tmp_path / "ada").rename(path)
    teams = LiveTeams(TeamSettings(path))
    assert teams.find(secrets[0]) is not None
    (tmp_path / "bo").rename(path)
    await teams.do(lambda *_: None)
    assert [teams.find(secret) is not None for secret in secrets] == [False, True]
    (tmp_path / "empty").rename(path)
    await teams.do(lambda *_: None)
    assert [teams.find(secret) for secret in secrets] == [None, None]
    assert teams.has_tokens
    teams.close()


async def test_a_store_that_becomes_unusable_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "team.sqlite3"
    store = TeamStore(path)
    store.create_team(Team("web"))
    store.create_person(Person("ada", "web"))
    secret = store.create_token("laptop", "ada").secret
    store.close()
    teams = LiveTeams(TeamSettings(path))
    path.unlink()
    path.write_bytes(b"nothing that SQLite knows " * 100)
    path.chmod(0o600)
    with pytest.raises(StoreUnavailable):
        await teams.do(lambda *_: None)
    assert teams.find(secret) is not None
    news: asyncio.Queue[str] = asyncio.Queue()
    watching = asyncio.create_task(teams.watch(news.put_nowait))
    async with asyncio.timeout(5):
        assert "is no SQLite database" in await news.get()
    watching.cancel()
    teams.close()


async def test_without_a_store_no_person_is_known() -> None:
    teams = LiveTeams(TeamSettings())
    assert teams.find("x") is None
    assert teams.reserve("0123456789ab", 10, may_refuse=True) is None
    with teams.admitted("0123456789ab"):
        assert teams.terms("0123456789ab").cache_salt == ""
    await teams.watch(pytest.fail)
    teams.close()


def test_a_look_up_among_a_hundred_thousand_tokens_takes_microseconds() -> None:
    index = TeamIndex()
    secrets = [f"cato_{number:043}" for number in range(100_000)]
    people = tuple(Person(f"p{number}", "web") for number in range(10_000))
    index.apply(
        Changes(
            1,
            (Team("web"),),
            people,
            tuple(
                KnownToken(
                    token_hash(secret), f"tok_{number}", f"p{number % 10_000}", "user", None, None
                )
                for number, secret in enumerate(secrets)
            ),
        )
    )
    asked = secrets[::100]
    began = time.process_time()
    assert all(index.find(secret, NOON) for secret in asked)
    assert (time.process_time() - began) / len(asked) < 100e-6


def test_the_audit_log_rotates(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", 1000)
    for number in range(30):
        log.changed("ada\nroot", "token created", token=f"tok_{number}")
    lines = [
        json.loads(line)
        for name in ("audit.jsonl.1", "audit.jsonl")
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert lines[-1]["token"] == "tok_29"
    assert lines[-1]["by"] == "ada\nroot"
    assert (tmp_path / "audit.jsonl").stat().st_size <= 1000
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o077 == 0
