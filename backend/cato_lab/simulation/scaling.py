"""A simulated fleet whose size follows a provisioner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from cato_backend.provisioning import FleetState, Provisioner
from cato_backend.scheduling import Event, ReplicaDown, ReplicaDraining, ReplicaLoad
from cato_backend.scheduling.policies import Policy
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import SimulatedRun, Simulator
from cato_lab.workloads.arrival import Workload

LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class PlanChange:
    """One change of plan."""

    time: float
    target: int
    why: str


@dataclass(frozen=True, slots=True)
class ScaledRun:
    """A run, and its replicas over time."""

    run: SimulatedRun
    replica_s: float
    """Paid for, from launch to stop, until the last arrival could come."""
    plans: Sequence[PlanChange]


class ScaledSimulator(Simulator):
    """Starts with the fleet's `replicas`, all ready.

    Each further one takes its profile's start-up time, each one given up is drained first.
    """

    def __init__(self, policy: Policy, fleet: Fleet, provisioner: Provisioner) -> None:
        super().__init__(policy, fleet)
        self._provisioner = provisioner
        self._numbers = count(fleet.replicas)
        self._starting: list[str] = []
        self._launched = {f"r{index}": 0.0 for index in range(fleet.replicas)}
        self._paid_s = 0.0
        self._plans: list[PlanChange] = []

    def run_scaled(self, workload: Workload, seed: int) -> ScaledRun:
        """As `run`, with the cost."""
        self._agenda.put(LOOK_S, self._look, workload.duration_s)
        run = self.run(workload, seed)
        return ScaledRun(run, self._paid_s, self._plans)

    def _tell(self, event: Event, now: float) -> None:
        self._events += 1
        decisions = self._scheduler.handle(event, now)
        self._provisioner.observe(event, decisions, now)
        for decision in decisions:
            self._carry_out(decision, now)

    def _look(self, end: float, now: float) -> None:
        self._paid_s += LOOK_S * len(self._launched)
        self._stop_drained(now)
        replicas = [each for each in self._scheduler.replicas if not each.draining]
        state = FleetState(
            ready=len(replicas),
            starting=len(self._starting),
            waiting=self._scheduler.waiting(self._fleet.profile.model),
            running=sum(each.running for each in replicas),
        )
        plan = self._provisioner.decide(state, now)
        if plan.changed:
            self._plans.append(PlanChange(now, plan.target, plan.why))
        self._scale(plan.target - state.coming, replicas, now)
        if now + LOOK_S <= end:
            self._agenda.put(now + LOOK_S, self._look, end)

    def _scale(self, step: int, replicas: Sequence[ReplicaLoad], now: float) -> None:
        for _ in range(step):
            self._launch(now)
        while step < 0 and self._starting:
            self._launched.pop(self._starting.pop())
            step += 1
        least = sorted(replicas, key=lambda each: (each.outstanding_tokens, each.replica_id))
        for replica in least[: max(0, -step)]:
            self._tell(ReplicaDraining(replica.replica_id), now)

    def _launch(self, now: float) -> None:
        replica_id = f"r{next(self._numbers)}"
        self._starting.append(replica_id)
        self._launched[replica_id] = now
        self._members[replica_id] = self._fleet.members[0]
        self._agenda.put(now + self._fleet.profile.start_s, self._started, replica_id)

    def _started(self, replica_id: str, now: float) -> None:
        if replica_id in self._starting:
            self._starting.remove(replica_id)
            self._start(replica_id, now)

    def _stop_drained(self, now: float) -> None:
        for replica in list(self._scheduler.replicas):
            if replica.draining and not replica.running:
                self._launched.pop(replica.replica_id)
                gone = self._replicas.pop(replica.replica_id)
                self._busy_s += gone.busy_s(now)
                gone.looked_for = None
                self._tell(ReplicaDown(replica.replica_id), now)
