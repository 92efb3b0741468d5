"""The scaler over a real supervisor, scheduler and provisioner: replicas and rule are faked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cato_backend.provisioning import FleetState
from cato_backend.scheduling import Progressed
from tests.fast.fleet.scaled_site import Site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    yield site
    for life in site.lives:
        life.may_stop.set()


async def test_replicas_follow_the_plan_within_its_bounds(site: Site) -> None:
    await site.want(0)
    assert site.up() == ["replica-1"]
    await site.want(3)
    assert site.up() == ["replica-1", "replica-2", "replica-3"]
    await site.want(9)
    assert len(site.up()) == 4
    await site.want(1)
    assert len(site.up()) == 1
    assert sum(life.stopped for life in site.lives) == 3
    assert "bounds say 4" in " ".join(site.notes)


async def test_a_busy_replica_is_drained_before_it_is_stopped(site: Site) -> None:
    await site.want(2)
    ran = {site.run(name): name for name in ("a", "b")}
    await site.want(1)
    assert len(site.up()) == 2
    kept = site.run("c")
    (drained,) = ran.keys() - {kept}
    assert "drains 1 requests, gets no more, and is stopped then" in site.notes
    site.end(ran[drained])
    await site.want(1)
    assert site.up() == [kept]


async def test_a_drain_takes_only_so_long(site: Site) -> None:
    await site.want(2)
    site.run("a")
    site.run("b")
    await site.want(1)
    site.now += 61.0
    await site.want(1)
    assert len(site.up()) == 1


async def test_who_has_not_started_is_given_up_first(site: Site) -> None:
    await site.want(1)
    site.may_start.clear()
    await site.want(3)
    assert site.rule.seen[-1] == FleetState(ready=1, starting=2)
    await site.want(1)
    assert site.rule.seen[-1] == FleetState(ready=1, starting=0)
    assert site.up() == ["replica-1"]
    site.may_start.set()
    await site.want(4)
    assert len(site.up()) == 4


async def test_what_is_being_stopped_does_not_count_as_starting(site: Site) -> None:
    await site.want(3)
    site.lives[0].may_stop.clear()
    await site.want(2)
    assert site.rule.seen[-1] == FleetState(ready=2, starting=0)
    text = site.runtime.metrics.exposition().decode()
    assert 'cato_fleet_replicas{model="m",state="stopping"} 1.0' in text
    await site.want(4)
    assert site.up() == ["replica-2", "replica-3", "replica-4"]
    site.lives[0].may_stop.set()
    await site.want(4)
    assert len(site.up()) == 4


async def test_a_place_that_failed_for_good_is_not_tried_again(site: Site) -> None:
    site.lives[1].broken = True
    await site.want(2)
    assert site.up() == ["replica-1", "replica-3"]
    assert "cannot start" in str(await site.supervisor.wait_failed())
    await site.want(4)
    assert site.up() == ["replica-1", "replica-3", "replica-4"]


async def test_metrics_tell_what_was_decided_and_why(site: Site) -> None:
    await site.want(2)
    text = site.runtime.metrics.exposition().decode()
    assert 'cato_replicas_wanted{model="m"} 2.0' in text
    assert 'cato_scaling_decisions_total{direction="up",model="m"} 1.0' in text
    assert 'why="2 replicas because the test wants 2"' in text
    site.now += 10.0
    site.scaler.look()
    text = site.runtime.metrics.exposition().decode()
    assert 'cato_replica_seconds_total{model="m"} 20.0' in text
    assert 'cato_fleet_replicas{model="m",state="ready"} 2.0' in text


async def test_the_rule_is_told_what_replicas_were_found_to_be(site: Site) -> None:
    """Once enough is known: their prompts of 1,000 tokens take 300 ms."""
    await site.want(2)
    assert site.rule.profiles == []
    for number in range(30):
        replica_id = site.run(str(number))
        site.now += 0.3
        site.scheduler.handle(Progressed(str(number), 1, 1, 1000, 0), site.now)
        site.end(str(number))
        assert replica_id
    await site.want(2)
    law = site.rule.profiles[-1].law
    assert law.seconds(1000, 1, 1000, 5e5) == pytest.approx(0.3, rel=0.1)
    assert site.rule.profiles[-1].spread < 0.25
