"""Least requests."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.scheduling.policies.base import Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.scheduling.view import FleetView


class LeastRequests(Policy):
    """First come, first served; the replica with the fewest requests."""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Ties go to the smaller id, so that a run can be repeated."""
        return Place(min(candidates, key=lambda r: (r.running, r.replica_id)).replica_id)
