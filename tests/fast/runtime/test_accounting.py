"""What a call is charged: engine seconds, output tokens, and what it was reserved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.errors import BudgetSpent
from cato_backend.requests import Origin, Request, Target
from cato_backend.runtime.accounting import Accounting, EngineSeconds
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.in_flight import CallOutdated
from cato_backend.scheduling import Abort, AttemptFailed, Dispatch, Finished, ReplicaDown, Woke
from cato_backend.team.budgets import Used, day_of
from cato_backend.team.index import tenant_of
from cato_backend.team.live import LiveTeams, TeamSettings
from cato_backend.team.records import Person, Team, UsageLimits
from cato_backend.team.store import TeamStore
from cato_backend.team.synchronizer import usage_of
from cato_backend.wire.headers import Task

NOW = 1_800_000_000.0


def begins(seconds: EngineSeconds, request_id: str, replica_id: str, now: float) -> None:
    seconds.note(Woke(), [Dispatch(request_id, replica_id, 1)], now)


def test_requests_that_run_side_by_side_share_the_time() -> None:
    seconds = EngineSeconds()
    begins(seconds, "a", "r0", 0.0)
    begins(seconds, "b", "r0", 1.0)
    begins(seconds, "c", "r1", 1.0)
    seconds.note(Finished("a", 1), [], 3.0)
    seconds.note(Woke(), [Abort("b", 1)], 4.0)
    seconds.note(ReplicaDown("r1"), [Dispatch("c", "r0", 2)], 5.0)
    seconds.note(AttemptFailed("c", 2), [], 5.5)
    assert [sum(seconds.take(name).values()) for name in "abc"] == [2.0, 2.0, 4.5]
    assert seconds.take("a") == {}


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.001, 10)), min_size=1, max_size=60))
def test_the_shares_add_up_to_the_time_that_the_replica_was_busy(
    steps: list[tuple[int, float]],
) -> None:
    """Each step begins a request, or ends it where it runs."""
    seconds, running, now, busy = EngineSeconds(), set[str](), 0.0, 0.0
    for number, passed in steps:
        now += passed
        busy += passed if running else 0.0
        name = f"request {number}"
        if name in running:
            running.remove(name)
            seconds.note(Finished(name, 1), [], now)
        else:
            running.add(name)
            begins(seconds, name, "r0", now)
    for name in running:
        seconds.note(Finished(name, 1), [], now)
    assert sum(
        sum(seconds.take(f"request {number}").values()) for number in range(6)
    ) == pytest.approx(busy)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TeamStore]:
    made = TeamStore(tmp_path / "team.sqlite3")
    made.create_team(Team("web", limits=UsageLimits(output_tokens_per_day=100)))
    made.create_person(Person("ada", "web"))
    yield made
    made.close()


def call(max_tokens: int, group: str = "", **body: int) -> Call:
    request = Request(
        *("r", Task.AGENT, "m", 0.0, Target(e2e_s=1.0), 10),
        max_tokens=max_tokens,
        origin=Origin(tenant_of("ada")),
    )
    return Call(request, ApiKind.COMPLETION, {"prompt": "x", **body}, group=group)


def test_a_call_is_charged_what_it_used(store: TeamStore) -> None:
    teams = LiveTeams(TeamSettings(store.path), lambda: NOW)
    accounting = Accounting(teams)
    with accounting.counted(call(40, n=2)) as flight:
        flight.output_tokens = 30
        assert not flight.call.request.share.over_budget
        with accounting.counted(call(40)) as other:
            assert other.call.request.share.over_budget
    with pytest.raises(CallOutdated), accounting.counted(call(40)):
        raise CallOutdated
    teams.close()
    assert usage_of(store, day_of(NOW)) == [("web", "ada", Used(2, 30, 0.0))]


def test_what_has_begun_of_a_whole_task_is_not_refused(store: TeamStore) -> None:
    teams = LiveTeams(TeamSettings(store.path, refuses_over_budget=True), lambda: NOW)
    accounting = Accounting(teams)
    with pytest.raises(BudgetSpent), accounting.counted(call(101)):
        pytest.fail("it was let in")
    with accounting.counted(call(101, group="task")) as flight:
        assert flight.call.request.share.over_budget
    with accounting.counted(call(100)) as flight:
        assert not flight.call.request.share.over_budget
    teams.close()
