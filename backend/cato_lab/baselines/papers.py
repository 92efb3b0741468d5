"""Policies of papers: CATO (arXiv 2503.19876), QoServe (ASPLOS 2026), SABER (arXiv 2506.19677)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cato_backend.profile_files.profile import EngineLimits
from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_lab.baselines.estimates import MEAN_OUTPUT, UNKNOWN, model_of, promised_s, work_of

_ALPHA = 2.0
"""How many seconds of deadline a second of own work weighs. Tuned on the reference profile."""

_MOST_UNSTARTED = 2
"""As for earliest deadline first."""

_RELEGATED = 1e6
"""Seconds behind all that can still be met."""

_MOMENT_S = 0.001
"""Until a request that has just been relegated is looked at again, where nothing else happens."""

_TPOT_S = 0.04
"""SABER knows end-to-end targets only: a first-token target is extended by the class's tokens."""

_BEST_EFFORT = 1_000_000
"""Engine priority of the low-priority queue."""

_IDLE_SHARE = 0.25
"""Of its slots: below this a replica takes what cannot be met any more."""


class PaperSlack(Policy):
    """Least slack first; the replica with the largest available resource.

    Slack is the budget less the expected processing, a constant per class; the resource is the
    share of sequences and of KV cache that is free, the scarcer of the two. The paper says no more
    of the router than this; a replica that is full is waited for.
    """

    def key(self, waiting: Waiting, fleet: FleetView) -> tuple[float, ...]:
        """Slack at arrival, as a time: what waits longer has less."""
        request = waiting.request
        law, work = UNKNOWN.law, work_of(request)
        expected = law.seconds(work.uncached, 1, work.uncached)
        if request.target.e2e_s is not None:
            expected += work.output * law.seconds(1, 1, work.uncached)
        return (request.deadline - expected,)

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Held while no replica has anything available."""
        largest = max(candidates, key=lambda r: (_available(r), -r.running))
        return Place(largest.replica_id) if _available(largest) > 0 else Hold(rest=True)


def _available(replica: ReplicaView) -> float:
    limits = replica.profile.limits if replica.profile else EngineLimits()
    return 1 - max(replica.running / limits.max_num_seqs, replica.kv_tokens / limits.kv_tokens)


class QoServe(Policy):
    """Deadline + alpha x remaining work, unlikely requests last; the replica that owes least.

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


class SaberAdmission(Policy):
    """First come, first served among admissible requests; others wait in a low-priority queue.

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
