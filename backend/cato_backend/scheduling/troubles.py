"""Failures of single requests, and whether request or replica may be the cause.

The death of a replica ends every attempt on it. It is charged to none of them. One of those that
were being started (dispatched, without a token) may have caused it: they are suspects. A replica
starts one suspect at a time, so that a second death tells which one it was.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.decisions import Refusal

_MOST_DEATHS = 2
"""Of replicas that were starting the same request."""
_MOST_INTERRUPTIONS = 5
"""Attempts of one request that may end with their replica; then it is not begun again."""
_MOST_MOVES = 2
_TOGETHER_S = 0.25
"""An engine that dies breaks its streams off within this time, though its server may still run."""
_BEFORE_DEATH_S = 2.0
"""Attempts that failed on a replica so shortly before its death failed because of it."""
_REMEMBERED = 256


@dataclass(slots=True)
class Trouble:
    """The failures of one request that has not ended."""

    failed_on: list[str] = field(default_factory=list[str])
    """Replicas that failed its attempts, one entry for each."""
    interruptions: int = 0
    """Attempts that ended with their replica."""
    deaths: int = 0
    """Replicas that died while they were starting it, since it last had a token."""
    moves: int = 0
    """Attempts that were given up because their replica was overdue."""
    began: int = 0
    """Attempts that had a first token since the first trouble."""


@dataclass(slots=True)
class _Failure:
    request_id: str
    """Clients may use the same again for another request."""
    trouble: Trouble
    at: float
    started: bool
    began: int
    """`Trouble.began` at that time: a later first token shows that the request kills no replica."""
    excused: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether the request may be what the replica died of, if it died then."""
        return not self.started and self.began == self.trouble.began


class Troubles:
    """The failures of all requests; most have none."""

    def __init__(self, max_attempts: int) -> None:
        self._max_attempts = max_attempts
        self._of = defaultdict[str, Trouble](Trouble)
        self._failures = defaultdict[str, deque[_Failure]](lambda: deque(maxlen=_REMEMBERED))
        self._starting: dict[str, str] = {}
        """By replica, the suspect that it is starting."""

    # -- what there is -------------------------------------------------------------------------

    def __contains__(self, request_id: object) -> bool:
        return request_id in self._of

    def refusal(self, request_id: str) -> Refusal | None:
        """Why the request must not be tried again; None where it may."""
        trouble = self._of.get(request_id)
        if trouble is None:
            return None
        if trouble.deaths >= _MOST_DEATHS:
            return Refusal.REPLICAS_DIED
        used_up = len(trouble.failed_on) >= self._max_attempts
        if used_up or trouble.interruptions >= _MOST_INTERRUPTIONS:
            return Refusal.REPLICA_FAILED
        return None

    def failed_on(self, request_id: str) -> Iterable[str]:
        """Return the replicas that failed the request, one entry for each attempt."""
        trouble = self._of.get(request_id)
        return () if trouble is None else trouble.failed_on

    def may_move(self, request_id: str) -> bool:
        """Return whether an attempt of the request may be given up for another."""
        trouble = self._of.get(request_id)
        return trouble is None or trouble.moves < _MOST_MOVES

    def is_suspect(self, request_id: str) -> bool:
        """Return whether a replica died while it was starting the request."""
        trouble = self._of.get(request_id)
        return trouble is not None and trouble.deaths > 0

    def starts_suspect(self, replica_id: str) -> bool:
        """Return whether the replica is starting a suspect already."""
        return replica_id in self._starting

    # -- what happens --------------------------------------------------------------------------

    def opened(self, attempt: Attempt) -> None:
        """Record that the attempt is on its way."""
        if self._of and self.is_suspect(attempt.request.id):
            self._starting[attempt.replica_id] = attempt.request.id

    def began(self, attempt: Attempt) -> None:
        """Record the first token: the request has not killed its replica."""
        self.closed(attempt)
        trouble = self._of.get(attempt.request.id)
        if trouble is not None:
            trouble.deaths = 0
            trouble.began += 1

    def closed(self, attempt: Attempt) -> None:
        """Record that the attempt is over."""
        if self._starting.get(attempt.replica_id) == attempt.request.id:
            del self._starting[attempt.replica_id]

    def forget(self, request_id: str) -> None:
        """Record that the request has ended."""
        self._of.pop(request_id, None)

    def moved(self, request_id: str) -> None:
        """Record that an attempt was given up for another."""
        self._of[request_id].moves += 1

    def failed(self, attempt: Attempt, now: float) -> None:
        """Record that the attempt failed by its replica's fault.

        With others, if the engine has died.
        """
        replica_id, request_id = attempt.replica_id, attempt.request.id
        trouble = self._of[request_id]
        trouble.failed_on.append(replica_id)
        failures = self._failures[replica_id]
        started = not attempt.silent
        failures.append(_Failure(request_id, trouble, now, started, trouble.began))
        since = max(now - _TOGETHER_S, attempt.dispatched_at)
        together = [each for each in failures if each.at >= since]
        others = any(each.trouble is not trouble for each in together)
        if others and any(each.started for each in together):
            self._excuse(replica_id, together)

    def died(self, replica_id: str, lost: Iterable[Attempt], now: float) -> list[str]:
        """Record that a replica has died with these attempts on it.

        Returns the ids of requests that failed there shortly before and must not be tried again,
        wherever they are now.
        """
        before = [each for each in self._failures.pop(replica_id, ()) if not each.excused]
        recent = [each for each in before if now - each.at <= _BEFORE_DEATH_S]
        self._excuse(replica_id, recent)
        for attempt in lost:
            _interrupt(self._of[attempt.request.id], starting=attempt.silent)
        live = {each.request_id for each in recent if self._of.get(each.request_id) is each.trouble}
        return sorted(name for name in live if self.refusal(name) is not None)

    def _excuse(self, replica_id: str, failures: Iterable[_Failure]) -> None:
        """Leave out attempts that did not fail by themselves."""
        for failure in failures:
            if not failure.excused:
                failure.excused = True
                failure.trouble.failed_on.remove(replica_id)
                _interrupt(failure.trouble, starting=failure.is_suspect)


def _interrupt(trouble: Trouble, *, starting: bool) -> None:
    """Record that an attempt of the request has ended with its replica."""
    trouble.interruptions += 1
    trouble.deaths += starting
