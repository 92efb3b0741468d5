"""A scaler over a real supervisor, scheduler and provisioner: replicas and rule are faked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from cato_backend.errors import EngineError
from cato_backend.fleet.model_replicas import ModelReplicas, SharedFleet, StartTimes
from cato_backend.fleet.scaler import ScaledModel, Scaler
from cato_backend.fleet.sharing import GpuSharing
from cato_backend.inventory.needs import GpuMemory
from cato_backend.metrics import Metrics
from cato_backend.profile_files.profile import Profile, StepLaw
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
    Decision,
    Dispatch,
    Finished,
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
    slept: int = 0
    may_sleep: asyncio.Event = field(default_factory=asyncio.Event)
    dies: asyncio.Event = field(default_factory=asyncio.Event)
    on_start: Callable[[str], None] = lambda kind: None
    sleepless: bool = False
    wakeless: bool = False

    async def launch(self) -> Life:
        self.dies.clear()
        return self

    async def wait_ready(self) -> Replica:
        if self.broken:
            raise EngineError("it cannot start here")
        await self.may_start.wait()
        self.on_start("load")
        return Replica(self.replica_id, "http://x", "m", None)

    async def wait_dead(self) -> str:
        await self.dies.wait()
        return "it died"

    def die(self) -> None:
        self.dies.set()

    async def sleep(self) -> None:
        await self.may_sleep.wait()
        if self.sleepless:
            raise EngineError("/sleep was answered with 404: is its sleep mode on?")
        self.slept += 1

    async def wake(self) -> None:
        if self.wakeless:
            raise EngineError("/wake_up was answered with 500")
        self.on_start("wake")

    async def stop(self) -> None:
        await self.may_stop.wait()
        self.stopped += 1


class Site:
    """Everything between the rule and the replicas' lives."""

    def __init__(self, *, sleeps: bool = False) -> None:
        self.now = 0.0
        self.notes: list[str] = []
        self.rule = Rule()
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.lives = [Life(f"replica-{n}", self.may_start) for n in range(1, 5)]
        for life in self.lives:
            life.may_stop.set()
            life.may_sleep.set()
        scheduler = Scheduler(make_policy("least-outstanding-tokens"))
        attempts = cast("Attempts", None)  # Nothing is ever sent.
        self.runtime = Runtime(scheduler, Catalog((), {}), attempts, Metrics(), lambda: self.now)
        self.scheduler = scheduler
        self.supervisor = Supervisor(self, RestartPolicy(max_restarts=0))
        provisioner = Provisioner("m", Bounds(1, 4), self.rule)
        memory = GpuMemory({})
        times = StartTimes("m", self.runtime.metrics, 60)
        shared = SharedFleet(self.supervisor, self.runtime, self, memory, drain_s=60)
        replicas = ModelReplicas(self.lives, shared, times, sleeps=sleeps)
        self.replicas = replicas
        profile = Profile("m", "emulated", StepLaw("additive", base=0.02, per_new_token=1e-4))
        model = ScaledModel("m", sleeps=sleeps, profile=profile if sleeps else None)
        sharing = GpuSharing(memory)
        self.scaler = Scaler(model, provisioner, replicas, times, shared, sharing)
        sharing.join(self.scaler, frozenset(life.replica_id for life in self.lives))

    def on_up(self, replica: Replica) -> None:
        self.runtime.members.add(Endpoint(replica.id, replica.url, "m"), ModelFacts("m"), 8)

    def on_asleep(self, replica_id: str) -> None:
        self.runtime.members.sleep(replica_id)

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
        request = generation(request_id, self.now)
        (dispatch, *_) = self.scheduler.handle(Submitted(request), self.now)
        assert isinstance(dispatch, Dispatch)
        return dispatch.replica_id

    def end(self, request_id: str) -> None:
        """It is answered."""
        self.scheduler.handle(Finished(request_id, 1), self.now)

    def take_s(self, **seconds: float) -> None:
        """Each start takes so long, by its kind: load or wake."""

        def passes(kind: str) -> None:
            self.now += seconds[kind]

        for life in self.lives[:1]:
            life.on_start = passes

    def watch_decisions(self) -> list[Decision]:
        """All that the scheduler decides from now on."""
        seen: list[Decision] = []
        self.runtime.watch(lambda event, decisions, now: seen.extend(decisions))
        return seen


def generation(request_id: str, now: float) -> Request:
    """A request whose first token is due in nine seconds."""
    return Request(request_id, Task.GENERATION, "m", now, Target(ttft_s=9.0), 10, 10)
