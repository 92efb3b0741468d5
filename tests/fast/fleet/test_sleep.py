"""Replicas that sleep: put to sleep in place of stopped, woken first, and nothing lost between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cato_backend.scheduling import Cancelled, Dispatch, Submitted
from cato_backend.scheduling.decisions import Reject
from tests.fast.fleet.scaled_site import Site, generation


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(sleeps=True)
    yield site
    for life in site.lives:
        life.may_stop.set()
        life.may_sleep.set()


def counts(site: Site) -> dict[str, int]:
    return {state: n for state, n in site.replicas.counts().items() if n}


@pytest.fixture
async def one_asleep(site: Site) -> Site:
    """Of two replicas, the first sleeps."""
    await site.want(2)
    await site.want(1)
    assert counts(site) == {"ready": 1, "asleep": 1}
    return site


async def test_a_replica_that_is_not_needed_sleeps_and_is_woken_before_another_starts(
    one_asleep: Site,
) -> None:
    site = one_asleep
    assert [life.slept for life in site.lives] == [1, 0, 0, 0]
    assert not any(life.stopped for life in site.lives)
    await site.want(3)
    assert counts(site) == {"ready": 3}
    assert site.supervisor.knows("replica-3")
    assert not site.supervisor.knows("replica-4")


async def test_what_runs_there_ends_before_it_sleeps(site: Site) -> None:
    await site.want(2)
    ran = {site.run(name): name for name in ("a", "b")}
    await site.want(1)
    assert counts(site) == {"ready": 1, "draining": 1}
    (going,) = [name for name in ran if site.replicas.leaves(name)]
    site.end(ran[going])
    await site.want(1)
    assert counts(site) == {"ready": 1, "asleep": 1}


async def test_a_drain_is_undone_where_it_is_needed_again(site: Site) -> None:
    await site.want(2)
    for name in ("a", "b"):
        site.run(name)
    await site.want(1)
    await site.want(2)
    assert counts(site) == {"ready": 2}
    assert len({site.run("c"), site.run("d")}) == 2


async def test_a_request_that_comes_while_the_last_falls_asleep_is_answered(site: Site) -> None:
    """It waits beyond its deadline too: its replica comes back."""
    await site.want(1)
    site.lives[0].may_sleep.clear()
    site.replicas.drain("replica-1", site.now)
    site.replicas.settle(site.now)
    await asyncio.sleep(0)
    assert counts(site) == {"asleep": 1}
    decisions = site.scheduler.handle(Submitted(generation("late", site.now)), site.now)
    assert not any(isinstance(each, Dispatch | Reject) for each in decisions)
    await site.want(1)
    assert counts(site) == {"starting": 1}
    site.now += 30
    site.lives[0].may_sleep.set()
    woken = site.watch_decisions()
    await site.want(1)
    assert counts(site) == {"ready": 1}
    assert [each.request_id for each in woken if isinstance(each, Dispatch)] == ["late"]
    assert not any(isinstance(each, Reject) for each in woken)
    site.scheduler.handle(Cancelled("late"), site.now)


async def test_one_that_does_not_fall_asleep_is_stopped(site: Site) -> None:
    await site.want(2)
    site.lives[0].sleepless = True
    await site.want(1)
    assert site.lives[0].stopped == 1
    assert counts(site) == {"ready": 1}
    assert any("does not fall asleep, and is stopped: /sleep" in note for note in site.notes)


async def test_one_that_does_not_wake_is_stopped_and_another_starts(one_asleep: Site) -> None:
    site = one_asleep
    site.lives[0].wakeless = True
    await site.want(2)
    assert site.lives[0].stopped == 1
    assert counts(site) == {"ready": 2}
    assert any("does not wake, and is stopped: /wake_up" in note for note in site.notes)


async def test_one_that_dies_asleep_is_not_started_before_it_is_needed(one_asleep: Site) -> None:
    site = one_asleep
    site.lives[0].die()
    await site.want(1)
    assert counts(site) == {"ready": 1}
    assert not site.supervisor.knows("replica-1")
    await site.want(2)
    assert counts(site) == {"ready": 2}


async def test_the_rule_is_told_how_long_the_next_start_takes(site: Site) -> None:
    site.take_s(load=40.0, wake=2.0)
    await site.want(2)
    assert site.rule.profiles[-1].start_s == 40.0
    await site.want(1)
    await site.want(2)
    await site.want(1)
    assert site.rule.profiles[-1].start_s == 2.0
    text = site.runtime.metrics.exposition().decode()
    assert 'cato_replica_start_seconds{kind="wake",model="m"} 2.0' in text
