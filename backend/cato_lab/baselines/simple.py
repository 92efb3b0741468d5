"""Policies without predictions: random, the better of two, earliest deadline, a pool per task."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.scheduling.splitmix import SplitMix64
from cato_backend.wire.headers import TASKS_OF_PEOPLE, Task

_MOST_UNSTARTED = 2
"""Requests that a replica may have without a first token; more could not be reordered any more.
Tuned on four replicas of the reference profile."""


class Random(Policy):
    """First come, first served; any replica."""

    def __init__(self, seed: int) -> None:
        self._dice = SplitMix64(seed)

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Return each with the same probability."""
        return Place(candidates[self._dice.below(len(candidates))].replica_id)


class PowerOfTwoChoices(Policy):
    """Ray Serve's default: of two replicas picked at random, the one with fewer requests.

    After Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (TPDS 2001).
    """

    def __init__(self, seed: int) -> None:
        self._dice = SplitMix64(seed)

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Place the request on the less busy of two replicas drawn at random."""
        first = self._dice.below(len(candidates))
        other = (first + 1 + self._dice.below(max(1, len(candidates) - 1))) % len(candidates)
        pair = (candidates[first], candidates[other])
        return Place(min(pair, key=lambda r: (r.running, r.replica_id)).replica_id)


class EarliestDeadlineFirst(Policy):
    """Queue and engines in the order of deadlines; the replica that owes the fewest tokens."""

    def key(self, waiting: Waiting, fleet: FleetView) -> tuple[float, ...]:
        """Return the earliest deadline first, whatever it takes to serve it."""
        return (waiting.request.deadline,)

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Held while every engine has enough that has not begun."""
        open_ = [r for r in candidates if r.unstarted < _MOST_UNSTARTED]
        if not open_:
            return Hold(rest=True)
        least = min(open_, key=lambda r: (r.outstanding_tokens, r.replica_id))
        return Place(least.replica_id, round(1000 * waiting.request.deadline))


class PerTask(Policy):
    """A fixed part of the fleet for each task; within it, the replica with the fewest requests.

    `split`: the parts, in the order of `TASKS_OF_PEOPLE`, in replicas or any other unit; equal by
    default. A task without a replica of its own may go anywhere: agents, and those for which the
    fleet is too small.
    """

    def __init__(self, split: Sequence[int] = ()) -> None:
        self._ends = list(accumulate(split or (1,) * len(TASKS_OF_PEOPLE)))
        self._replicas: list[str] = []
        self._own: dict[Task, set[str]] = {}

    def replica_up(self, replica: ReplicaView, fleet: FleetView) -> None:
        """Divide all replicas again."""
        self._replicas.append(replica.replica_id)
        self._share_out()

    def replica_down(self, replica_id: str, fleet: FleetView) -> None:
        """Do the same."""
        self._replicas.remove(replica_id)
        self._share_out()

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Held while all of its own are full."""
        own = self._own.get(waiting.request.task, set())
        open_ = [r for r in candidates if not own or r.replica_id in own]
        least = min(open_, key=lambda r: (r.running, r.replica_id), default=None)
        return Hold() if least is None else Place(least.replica_id)

    def _share_out(self) -> None:
        self._own = {task: set[str]() for task in TASKS_OF_PEOPLE}
        for place, replica_id in enumerate(sorted(self._replicas)):
            at = (place + 0.5) / len(self._replicas) * self._ends[-1]
            self._own[TASKS_OF_PEOPLE[bisect_right(self._ends, at)]].add(replica_id)
