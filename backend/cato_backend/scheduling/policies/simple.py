"""Policies without a prediction: least requests, least outstanding tokens, round robin."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from cato_backend.scheduling.policies.base import FleetView, Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView


class LeastRequests(Policy):
    """First come, first served; the replica with the fewest requests."""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Ties go to the smaller id, so that a run can be repeated."""
        return Place(min(candidates, key=lambda r: (r.running, r.replica_id)).replica_id)


class LeastOutstandingTokens(Policy):
    """First come, first served; the replica that owes the fewest tokens."""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Ties go to the smaller id, so that a run can be repeated."""
        least = min(candidates, key=lambda r: (r.outstanding_tokens, r.running, r.replica_id))
        return Place(least.replica_id)


class RoundRobin(Policy):
    """First come, first served; each replica in turn."""

    def __init__(self) -> None:
        self._last = ""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """The next in the order of ids after the one chosen last."""
        index = bisect_right(candidates, self._last, key=lambda r: r.replica_id)
        self._last = candidates[index % len(candidates)].replica_id
        return Place(self._last)
