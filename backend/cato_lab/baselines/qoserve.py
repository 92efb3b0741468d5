"""QoServe's priority (Niyama; ASPLOS 2026): between earliest deadline and shortest job."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_lab.baselines.estimates import UNKNOWN, promised_s, work_of

_ALPHA = 2.0
"""How many seconds of deadline a second of own work weighs. Tuned on the reference profile."""
_MOST_UNSTARTED = 2
"""As for earliest deadline first."""
_RELEGATED = 1e6
"""Seconds behind all that can still be met."""
_MOMENT_S = 0.001
"""Until a request that has just been relegated is looked at again, where nothing else happens."""


class QoServe(Policy):
    """Deadline + alpha x remaining work, the doomed behind; the replica that owes least.

    Its dynamic chunk sizes live inside the engine and have no counterpart in a router.
    """

    def __init__(self) -> None:
        self._relegated: set[str] = set()

    def key(self, waiting: Waiting, fleet: FleetView) -> tuple[float, ...]:
        """Lower first."""
        return (_rank(waiting.request),)

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Held while every engine has enough that has not begun.

        What cannot be met any more lets the others pass first.
        """
        request, rank = waiting.request, _rank(waiting.request)
        open_ = [r for r in candidates if r.unstarted < _MOST_UNSTARTED]
        if not open_:
            return Hold(rest=True)
        least = min(open_, key=lambda r: (r.outstanding_tokens, r.replica_id))
        if request.id in self._relegated:
            priority = round(1000 * (rank + _RELEGATED))
            return Place(least.replica_id, priority, relegated=True)
        if fleet.now + promised_s(request, least) > request.deadline:
            self._relegated.add(request.id)
            return Hold(key=(rank + _RELEGATED,), until=fleet.now + _MOMENT_S)
        return Place(least.replica_id, round(1000 * rank))

    def opened(self, attempt: Attempt, fleet: FleetView) -> None:
        """Keep it to be judged again where the attempt fails."""
        self._relegated.discard(attempt.request.id)

    def withdrawn(self, waiting: Waiting, fleet: FleetView) -> None:
        """Record that it is gone."""
        self._relegated.discard(waiting.request.id)


def _rank(request: Request) -> float:
    work = work_of(request)
    remaining = UNKNOWN.law.seconds(work.uncached, 1, 0)
    if request.target.e2e_s is not None:
        remaining += work.output * UNKNOWN.law.seconds(1, 1, 0)
    return request.deadline + _ALPHA * remaining
