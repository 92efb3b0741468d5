"""How much of its replica's time a request takes."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Decision,
    Dispatch,
    Event,
    Finished,
    ReplicaDown,
)


class EngineSeconds:
    """Shares each replica's time equally among the requests that run on it.

    The shares of all requests add up to the time in which replicas had any.
    """

    def __init__(self) -> None:
        self._replicas: dict[str, _SharedTime] = {}
        self._running: dict[str, tuple[str, float]] = {}
        """By request, its replica, and what one request had got there when it began."""
        self._taken: dict[str, dict[str, float]] = {}
        """By request and replica."""

    def note(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        """Follow an event and what was decided on it."""
        if isinstance(event, Finished | AttemptFailed):
            self._end(event.request_id, now)
        elif isinstance(event, ReplicaDown):
            replica_id = event.replica_id
            for name in [name for name, (at, _) in self._running.items() if at == replica_id]:
                self._end(name, now)
            self._replicas.pop(replica_id, None)
        for decision in decisions:
            if isinstance(decision, Dispatch):
                self._end(decision.request_id, now)
                shared = self._replicas.setdefault(decision.replica_id, _SharedTime(now))
                self._running[decision.request_id] = decision.replica_id, shared.join(now)
            elif isinstance(decision, Abort):
                self._end(decision.request_id, now)

    def take(self, request_id: str) -> dict[str, float]:
        """Return the seconds of a request that has ended, by replica, and forget it."""
        return self._taken.pop(request_id, {})

    def _end(self, request_id: str, now: float) -> None:
        replica_id, began = self._running.pop(request_id, ("", 0.0))
        shared = self._replicas.get(replica_id)
        if shared is not None:
            seconds = shared.leave(now) - began
            taken = self._taken.setdefault(request_id, {})
            taken[replica_id] = taken.get(replica_id, 0.0) + seconds


class _SharedTime:
    """The time of one replica that each of the requests on it has got, if it was there always."""

    def __init__(self, now: float) -> None:
        self._seconds = 0.0
        self._running = 0
        self._at = now

    def join(self, now: float) -> float:
        self._pass(now)
        self._running += 1
        return self._seconds

    def leave(self, now: float) -> float:
        self._pass(now)
        self._running -= 1
        return self._seconds

    def _pass(self, now: float) -> None:
        if self._running:
            self._seconds += (now - self._at) / self._running
        self._at = now
