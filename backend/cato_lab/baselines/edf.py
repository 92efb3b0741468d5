"""Earliest deadline first."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView

_MOST_UNSTARTED = 2
"""Requests that a replica may have without a first token; more could not be reordered any more.
Tuned on four replicas of the reference profile."""


class EarliestDeadlineFirst(Policy):
    """Queue and engines in the order of deadlines; the replica that owes the fewest tokens."""

    def key(self, waiting: Waiting, fleet: FleetView) -> tuple[float, ...]:
        """Whoever is due first, whatever it takes to serve it."""
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
