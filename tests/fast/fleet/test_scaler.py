"""The scaler over a real supervisor, scheduler and provisioner: replicas and rule are faked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from cato_backend.errors import EngineError
from cato_backend.fleet.scaler import Scaler
from cato_backend.metrics import Metrics
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning import Bounds, FleetState, Provisioner, Wanted
from cato_backend.provisioning.rules.base import AnsweredRequest
from cato_backend.replicas.replica import Replica
from cato_backend.replicas.supervisor import RestartPolicy, Supervisor
from cato_backend.requests import Request, Target
from cato_backend.runtime.attempt import Attempts
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.facts import Endpoint, ModelFacts
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import (
    Dispatch,
    Finished,
    Progressed,
    Scheduler,
    Submitted,
    make_policy,
)
from cato_backend.wire.headers import Task


@dataclass
class Rule:
    """Wants what it is told to want."""

    count: int = 1
    seen: list[FleetState] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)

    def arrived(self, request: Request, now: float) -> None: ...

    def answered(self, answer: AnsweredRequest, now: float) -> None: ...

    def learned(self, profile: Profile) -> None:
        self.profiles.append(profile)

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        self.seen.append(fleet)
        return Wanted(self.count, f"the test wants {self.count}")


@dataclass
class Life:
    """A replica that comes up when told to, unless its place is broken."""

    replica_id: str
    may_start: asyncio.Event
    broken: bool = False
    stopped: int = 0
    may_stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def launch(self) -> Life:
        return self

    async def wait_ready(self) -> Replica:
        if self.broken:
            raise EngineError("it cannot start here")
        await self.may_start.wait()
        return Replica(self.replica_id, "http://x", "m", None)

    async def wait_dead(self) -> str:
        return await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        await self.may_stop.wait()
        self.stopped += 1


class Site:
    """Everything between the rule and the replicas' lives."""

    def __init__(self) -> None:
        self.now = 0.0
        self.notes: list[str] = []
        self.rule = Rule()
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.lives = [Life(f"replica-{n}", self.may_start) for n in range(1, 5)]
        for life in self.lives:
            life.may_stop.set()
        scheduler = Scheduler(make_policy("least-outstanding-tokens"))
        attempts = cast("Attempts", None)  # Nothing is ever sent.
        self.runtime = Runtime(scheduler, Catalog((), {}), attempts, Metrics(), lambda: self.now)
        self.scheduler = scheduler
        self.supervisor = Supervisor(self, RestartPolicy(max_restarts=0))
        provisioner = Provisioner("m", Bounds(1, 4), self.rule)
        self.scaler = Scaler(
            "m", provisioner, self.lives, self.supervisor, self.runtime, self, drain_s=60
        )

    def on_up(self, replica: Replica) -> None:
        self.runtime.members.add(Endpoint(replica.id, replica.url, "m"), ModelFacts("m"), 8)

    def on_down(self, replica_id: str, reason: str) -> None:
        self.runtime.members.remove(replica_id)

    def on_note(self, replica_id: str, text: str) -> None:
        self.notes.append(text)

    def on_failed(self, replica_id: str, reason: str) -> None:
        self.notes.append(reason)

    def on_ended(self, replica_id: str) -> None: ...

    async def want(self, count: int) -> None:
        """The rule wants so many; everything that follows by itself has happened."""
        self.rule.count = count
        for _ in range(3):
            self.scaler.look()
            for _ in range(10):
                await asyncio.sleep(0)

    def up(self) -> list[str]:
        return sorted(replica.replica_id for replica in self.runtime.replicas())

    def run(self, request_id: str) -> str:
        """A request runs on the replica that owes the least; which one."""
        target = Target(ttft_s=9.0)
        request = Request(request_id, Task.GENERATION, "m", self.now, target, 10, 10)
        (dispatch, *_) = self.scheduler.handle(Submitted(request), self.now)
        assert isinstance(dispatch, Dispatch)
        return dispatch.replica_id

    def end(self, request_id: str) -> None:
        """It is answered."""
        self.scheduler.handle(Finished(request_id, 1), self.now)


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
    assert 'why="2 replicas, stay: the test wants 2"' in text
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
