"""Round robin."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from cato_backend.scheduling.policies.base import Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.scheduling.view import FleetView


class RoundRobin(Policy):
    """First come, first served; each replica in turn."""

    def __init__(self) -> None:
        self._last = ""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """The next in the order of ids after the one chosen last."""
        index = bisect_right(candidates, self._last, key=lambda r: r.replica_id)
        self._last = candidates[index % len(candidates)].replica_id
        return Place(self._last)
