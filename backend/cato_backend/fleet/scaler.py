"""Keeps as many local replicas of one model as its provisioner wants: starts, drains, stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cato_backend.config import Config
from cato_backend.errors import ConfigError
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.launch import PlannedReplica
from cato_backend.fleet.profiles import kept_profile, usual_profile
from cato_backend.metrics import Metrics
from cato_backend.provisioning import Bounds, FleetState, Plan, Provisioner, make_rule
from cato_backend.replicas.replica import FleetListener, Launcher
from cato_backend.replicas.supervisor import Supervisor
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import ReplicaLoad

_FLEET = "fleet"


class Scaler:
    """The launchers are all the places where a replica of the model can run.

    A replica is drained before it is stopped: it gets nothing new, and is ended when nothing runs
    on it any more, or after `drain_s`; what still runs then goes on elsewhere.
    """

    def __init__(
        self,
        model: str,
        provisioner: Provisioner,
        launchers: Sequence[Launcher],
        supervisor: Supervisor,
        runtime: Runtime,
        listener: FleetListener,
        drain_s: float = 300.0,
    ) -> None:
        self._model = model
        self._provisioner = provisioner
        self._places = {launcher.replica_id: launcher for launcher in launchers}
        self._supervisor = supervisor
        self._runtime = runtime
        self._listener = listener
        self._drain_s = drain_s
        self._draining: dict[str, float] = {}
        """Until when each of them may take."""
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._said = ""
        self._looked_at = runtime.clock()
        runtime.watch(provisioner.observe)

    async def run(self, interval_s: float) -> None:
        """Looks every `interval_s` seconds, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(interval_s)

    def look(self) -> Plan:
        """One decision, carried out as far as it can be at once."""
        now = self._runtime.clock()
        self._stop_drained(now)
        ready, starting = self._ready(), self._starting()
        self._count(len(ready), len(starting), now)
        found = usual_profile(ready)
        if found is not None:
            self._provisioner.learned(found)
        state = FleetState(
            ready=len(ready),
            starting=len(starting),
            waiting=self._runtime.waiting(self._model),
            running=sum(replica.running for replica in self._own()),
        )
        plan = self._provisioner.decide(state, now)
        step = plan.target - state.coming
        if step > 0:
            self._start(step)
        elif step < 0:
            self._give_up(starting, ready, -step, now)
        self._tell(plan, step)
        return plan

    def _count(self, ready: int, starting: int, now: float) -> None:
        """What is there, and what it has come to, for `/metrics`."""
        counts = {
            "ready": ready,
            "starting": starting,
            "draining": len(self._draining),
            "stopping": len(self._stopping),
        }
        metrics = self._runtime.metrics
        for state, count in counts.items():
            metrics.fleet_replicas.labels(self._model, state).set(count)
        lived_s = (now - self._looked_at) * sum(counts.values())
        metrics.replica_seconds.labels(self._model).inc(max(0.0, lived_s))
        self._looked_at = now

    async def close(self) -> None:
        """Waits for replicas that are just being stopped."""
        await asyncio.gather(*self._stopping.values())

    def _own(self) -> list[ReplicaLoad]:
        return [r for r in self._runtime.replicas() if r.replica_id in self._places]

    def _ready(self) -> list[ReplicaLoad]:
        going = self._draining.keys() | self._stopping.keys()
        return [r for r in self._own() if r.replica_id not in going]

    def _starting(self) -> list[str]:
        up = {replica.replica_id for replica in self._own()}
        others = up | self._draining.keys() | self._stopping.keys()
        return [
            name for name in self._places if self._supervisor.keeps(name) and name not in others
        ]

    def _start(self, count: int) -> None:
        idle = [
            name
            for name in self._places
            if not self._supervisor.knows(name) and name not in self._stopping
        ]
        for name in idle[:count]:
            self._supervisor.keep(self._places[name])

    def _give_up(
        self, starting: list[str], ready: list[ReplicaLoad], count: int, now: float
    ) -> None:
        """Those that have not started yet first, the youngest before the others; then those with
        the least to do."""
        for name in starting[::-1][:count]:
            self._stop(name)
        left = max(0, count - len(starting))
        for replica in sorted(ready, key=lambda r: (r.outstanding_tokens, r.running))[:left]:
            self._draining[replica.replica_id] = now + self._drain_s
            self._runtime.members.drain(replica.replica_id)
            text = f"drains {replica.running} requests, gets no more, and is stopped then"
            self._listener.on_note(replica.replica_id, text)

    def _stop_drained(self, now: float) -> None:
        busy = {replica.replica_id for replica in self._own() if replica.running}
        for name, until in list(self._draining.items()):
            if name not in busy or until <= now:
                del self._draining[name]
                self._stop(name)

    def _stop(self, name: str) -> None:
        task = asyncio.create_task(self._supervisor.release(name))
        self._stopping[name] = task
        task.add_done_callback(lambda _: self._stopping.pop(name))

    def _tell(self, plan: Plan, step: int) -> None:
        if plan.why != self._said and (step or plan.changed):
            self._said = plan.why
            self._listener.on_note(_FLEET, plan.why)
        record(self._runtime.metrics, self._model, plan, step)


def make_scaler(
    config: Config,
    planned: Sequence[PlannedReplica],
    launchers: Sequence[Launcher],
    supervisor: Supervisor,
    runtime: Runtime,
    fleet: Fleet,
) -> Scaler:
    """For the one local model of the configuration, all of whose places are planned.

    It plans by what was learned of such replicas, else by the profile. Raises ConfigError where
    neither is known: there is nothing to plan by.
    """
    model, wanted = config.models[0].name, config.provisioning
    expected = planned[0].expected
    kept = runtime.laws.recall(model, expected.place)
    profile = kept_profile(model, expected.profile, kept) or expected.profile
    if profile is None:
        raise ConfigError.of(
            "models.0.profile", "", f"a latency profile of {model}: make one with `cato profile`"
        )
    bounds = Bounds(wanted.min_replicas, wanted.max_replicas)
    provisioner = Provisioner(model, bounds, make_rule(wanted.rule, profile, wanted.settings))
    return Scaler(model, provisioner, launchers, supervisor, runtime, fleet, wanted.drain_s)


def record(metrics: Metrics, model: str, plan: Plan, step: int) -> None:
    """What was decided, and why, for `/metrics`."""
    metrics.wanted_replicas.labels(model).set(plan.target)
    direction = "up" if step > 0 else "down" if step < 0 else "stay"
    metrics.scaling_decisions.labels(model, direction).inc()
    metrics.scaling_reason.clear()
    metrics.scaling_reason.labels(model, plan.why).set(1)
