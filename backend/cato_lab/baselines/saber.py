"""SABER's admission (arXiv 2506.19677): it runs where everybody keeps the speed they need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_lab.baselines.estimates import MEAN_OUTPUT, model_of

_TPOT_S = 0.04
"""SABER knows end-to-end targets only: a first-token target is extended by the class's tokens."""
_BEST_EFFORT = 1_000_000
"""Engine priority of the low-priority queue."""
_IDLE_SHARE = 0.25
"""Of its slots: below this a replica takes what cannot be met any more."""


class SaberAdmission(Policy):
    """First come, first served among the admissible; others wait in a low-priority queue.

    The speed v(L) of one of L sequences comes from the profile's law instead of a fit of the
    Universal Scalability Law to measurements; prefill is not in it, as in the paper.
    """

    def __init__(self) -> None:
        self._keeps: dict[str, bool] = {}
        """Whether all that run on a replica can spare what one more takes, in this look."""

    def looking(self, model: str, fleet: FleetView) -> Iterable[str]:
        """Time has passed, or something has changed."""
        self._keeps.clear()
        return ()

    def opened(self, attempt: Attempt, fleet: FleetView) -> None:
        """One more runs there."""
        self._keeps.pop(attempt.replica_id, None)

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Return the least loaded replica that keeps every promise with one more."""
        request = waiting.request
        by_load = sorted(candidates, key=lambda r: (r.running, r.replica_id))
        needed = _needed(_expected(request), _due(waiting), fleet.now)
        for replica in by_load:
            if self._all_keep(replica, fleet.now) and needed <= _speed(
                replica, replica.running + 1
            ):
                return Place(replica.replica_id)
        least = by_load[0]
        if least.running < _IDLE_SHARE * least.max_running:
            return Place(least.replica_id, _BEST_EFFORT, relegated=True)
        return Hold(rest=not any(self._all_keep(replica, fleet.now) for replica in by_load))

    def _all_keep(self, replica: ReplicaView, now: float) -> bool:
        known = self._keeps.get(replica.replica_id)
        if known is None:
            known = self._keeps[replica.replica_id] = _all_keep(replica, now)
        return known


def _speed(replica: ReplicaView, sequences: int) -> float:
    """Return tokens per second of one of so many."""
    return 1 / model_of(replica).token_s(sequences, replica.kv_tokens)


def _due(waiting: Waiting | Attempt) -> float:
    request = waiting.request
    if request.target.e2e_s is not None:
        return request.deadline
    return request.deadline + _TPOT_S * _expected(request)


def _expected(request: Request) -> int:
    """Tokens: the class's mean. With max_tokens, as published, hardly anything is admissible."""
    return min(request.max_tokens, MEAN_OUTPUT[request.task])


def _needed(tokens: int, due: float, now: float) -> float:
    """Return tokens per second; a promise that is broken asks for nothing any more."""
    return tokens / (due - now) if due > now else 0.0


def _all_keep(replica: ReplicaView, now: float) -> bool:
    speed = _speed(replica, replica.running + 1)
    return all(
        _needed(max(1, _expected(a.request) - a.emitted), _due(a), now) <= speed
        for a in replica.attempts.values()
        if a.priority != _BEST_EFFORT
    )
