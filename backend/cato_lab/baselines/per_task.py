"""Static serving: each task has replicas of its own, as the paper's setting before CATO."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.wire.headers import TASKS_OF_PEOPLE, Task


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
        """All are shared out anew."""
        self._replicas.append(replica.replica_id)
        self._share_out()

    def replica_down(self, replica_id: str, fleet: FleetView) -> None:
        """The same."""
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
