"""Keeps the local replicas of one model at its provisioner's plan, within the GPUs' memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from cato_backend.fleet.model_replicas import LOAD, WAKE, ModelReplicas, SharedFleet, StartTimes
from cato_backend.fleet.profiles import usual_profile
from cato_backend.fleet.sharing import GpuSharing
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning import FleetState, Plan, Provisioner
from cato_backend.provisioning.model_demand import ModelDemand
from cato_backend.provisioning.worth import ClassDemand, Holding
from cato_backend.scheduling import Decision, Event, Submitted

_FLEET = "fleet"
_STAYS_S = 5.0
"""A replica that serves does so for at least this long before it gives its memory to others."""


@dataclass(frozen=True, slots=True)
class ScaledModel:
    """A model that is scaled, and its bounds."""

    name: str
    least: int = 1
    sleeps: bool = False
    profile: Profile | None = None
    """The profile for plans until a law is learned."""


class Scaler:
    """Compares the provisioner's plan with the replicas, and starts or stops the difference."""

    def __init__(
        self,
        model: ScaledModel,
        provisioner: Provisioner,
        replicas: ModelReplicas,
        times: StartTimes,
        shared: SharedFleet,
        sharing: GpuSharing,
    ) -> None:
        self._model = model
        self._provisioner = provisioner
        self._replicas = replicas
        self._times = times
        self._runtime = shared.runtime
        self._listener = shared.listener
        self._memory = shared.memory
        self._sharing = sharing
        self._demand = ModelDemand(model.name)
        self._ready_since: dict[str, float] = {}
        self._claiming: str | None = None
        """The replica that waits for memory."""
        self._said = ""
        self._reason: str | None = None
        """The label of the latest decision in `/metrics`."""
        self._asked = asyncio.Event()
        """Set where the next look is not to wait."""
        self._looked_at = self._runtime.clock()
        replicas.on_change = sharing.changed
        self._runtime.watch(self._observe)

    async def run(self, interval_s: float) -> None:
        """Look every `interval_s` seconds, until cancelled.

        A request that no replica can take is looked at at once.
        """
        while True:
            self._asked.clear()
            self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), interval_s)

    def look(self) -> Plan:
        """One decision, carried out as far as it can be at once."""
        now = self._runtime.clock()
        self._replicas.settle(now)
        ready = self._replicas.ready()
        starting = len(self._replicas.launching()) + len(self._replicas.waking())
        self._note_ready([each.replica_id for each in ready], now)
        self._count(now)
        self._learn()
        state = FleetState(
            ready=len(ready),
            starting=starting,
            waiting=self._runtime.waiting(self._model.name),
            running=sum(replica.running for replica in self._replicas.own()),
        )
        plan = self._provisioner.decide(state, now)
        step = plan.target - state.coming
        if step > 0:
            self._start(step, now)
        else:
            self._claim(None)
            self._give_up(-step, now)
        self._tell(plan, step)
        return plan

    async def close(self) -> None:
        """Wait for replicas that are just being stopped."""
        await self._replicas.close()

    # -- what others ask -----------------------------------------------------------------------

    def holding(self, replica_id: str, now: float) -> Holding | None:
        """Return what a replica that serves is worth; None where it has to stay."""
        count = len(self._ready_since)
        since = self._ready_since.get(replica_id)
        if since is None or now - since < _STAYS_S or count <= self._model.least:
            return None
        return self._worth(replica_id, count, now)

    def leaves(self, replica_id: str) -> bool:
        """Return whether it is about to give its memory back."""
        return self._replicas.leaves(replica_id)

    def vacate(self, replica_id: str, now: float, claimant: str) -> None:
        """Let a replica finish what runs on it, and give its memory to the claimant."""
        self._ready_since.pop(replica_id, None)
        self._replicas.drain(replica_id, now, f": {claimant} needs its memory more")
        self.hurry()

    def hurry(self) -> None:
        """Look at once."""
        self._asked.set()

    # -- steps ---------------------------------------------------------------------------------

    def _start(self, count: int, now: float) -> None:
        """Start those whose memory is there; let others make room for one more."""
        without_room: list[str] = []
        for name in self._replicas.can_start():
            if not count:
                break
            if self._sharing.fits(name):
                self._replicas.start(name, now)
                count -= 1
            else:
                without_room.append(name)
        self._claim(self._first_with_room_made(without_room, now) if count else None)

    def _first_with_room_made(self, names: Sequence[str], now: float) -> str | None:
        """Return the first for which others make room, the one that waits for it already first."""
        for name in sorted(names, key=lambda each: each != self._claiming):
            worth = self._worth(name, len(self._ready_since) + 1, now)
            if self._sharing.make_room(worth, now):
                return name
        return None

    def _claim(self, replica_id: str | None) -> None:
        """Wait for the memory of this replica, and of no other."""
        if self._claiming is not None and self._claiming != replica_id:
            self._sharing.withdraw(self._claiming)
        self._claiming = replica_id

    def _give_up(self, count: int, now: float) -> None:
        """Those that have not started yet first, the youngest before the others.

        Then those with the least to do.
        """
        launching = self._replicas.launching()[::-1][:count]
        for name in launching:
            self._replicas.stop(name)
        loads = sorted(self._replicas.ready(), key=lambda r: (r.outstanding_tokens, r.running))
        for load in loads[: count - len(launching)]:
            self._replicas.drain(load.replica_id, now)

    def _worth(self, replica_id: str, among: int, now: float) -> Holding:
        """Return a replica's share of the demand, and what it costs to be without it."""
        waiting = Counter(
            each.task for each in self._runtime.waiting_requests() if each.model == self._model.name
        )
        demands = self._demand.demands(waiting, now)
        kind = WAKE if self._model.sleeps else LOAD
        return Holding(
            replica_id,
            self._memory.given_back(replica_id),
            self._times.usual_s(kind),
            tuple(_share(each, max(1, among)) for each in demands),
            is_first=self._model.sleeps and not self._times.is_measured(LOAD),
            gpus=self._memory.gpus(replica_id),
        )

    # -- what is seen --------------------------------------------------------------------------

    def _observe(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        self._provisioner.observe(event, decisions, now)
        self._demand.observe(event, decisions, now)
        is_own = isinstance(event, Submitted) and event.request.model == self._model.name
        if is_own and not self._ready_since:
            self.hurry()

    def _note_ready(self, names: Sequence[str], now: float) -> None:
        self._ready_since = {name: self._ready_since.get(name, now) for name in names}

    def _learn(self) -> None:
        """Tell the provisioner how fast replicas are, and when the next one would serve."""
        found = usual_profile(self._replicas.ready())
        kind = WAKE if self._replicas.sleeping() else LOAD
        if found is None and not self._times.is_measured(kind):
            return
        known = found or self._model.profile
        if known is not None:
            self._provisioner.learned(replace(known, start_s=self._times.usual_s(kind)))

    def _count(self, now: float) -> None:
        """Write what is there, and what it has come to, to `/metrics`."""
        counts = self._replicas.counts()
        metrics, model = self._runtime.metrics, self._model.name
        for state, count in counts.items():
            metrics.fleet_replicas.labels(model, state).set(count)
        lived_s = (now - self._looked_at) * (sum(counts.values()) - counts["asleep"])
        metrics.replica_seconds.labels(model).inc(max(0.0, lived_s))
        self._looked_at = now

    def _tell(self, plan: Plan, step: int) -> None:
        if plan.why != self._said and (step or plan.changed):
            self._said = plan.why
            self._listener.on_note(_FLEET, f"{self._model.name}: {plan.why}")
        self._record(plan, step)

    def _record(self, plan: Plan, step: int) -> None:
        """Write what was decided, and why, to `/metrics`."""
        metrics, model = self._runtime.metrics, self._model.name
        metrics.wanted_replicas.labels(model).set(plan.target)
        direction = "up" if step > 0 else "down" if step < 0 else "stay"
        metrics.scaling_decisions.labels(model, direction).inc()
        if self._reason is not None and self._reason != plan.why:
            metrics.scaling_reason.remove(model, self._reason)
        metrics.scaling_reason.labels(model, plan.why).set(1)
        self._reason = plan.why


def _share(demand: ClassDemand, among: int) -> ClassDemand:
    waiting = -(-demand.waiting // among)
    return replace(demand, rate=demand.rate / among, waiting=waiting)
