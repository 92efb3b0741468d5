"""Least outstanding tokens."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.scheduling.policies.base import Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.scheduling.view import FleetView


class LeastOutstandingTokens(Policy):
    """First come, first served; the replica that owes the fewest tokens."""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Ties go to the smaller id, so that a run can be repeated."""
        least = min(candidates, key=lambda r: (r.outstanding_tokens, r.running, r.replica_id))
        return Place(least.replica_id)
