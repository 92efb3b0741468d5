"""The state of each replica: since when, why, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class ReplicaPhase(StrEnum):
    """The states of a replica."""

    STARTING = "starting"
    """The replica has not been up yet."""
    UP = "up"
    ASLEEP = "asleep"
    """The replica has given its GPU memory back, and is woken for a request."""
    DOWN = "down"
    """The replica gets no requests, and is checked with back-off."""
    FAILED = "failed"
    """The replica was given up."""


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """The state of one replica, and its reason."""

    replica_id: str
    state: ReplicaPhase
    since: float
    """Seconds since the epoch."""
    reason: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        advice = f"; {self.remedy}" if self.remedy else ""
        return f"{self.state}: {self.reason}{advice}" if self.reason else self.state


class Standings:
    """The states of a fleet. `clock` returns seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._standings: dict[str, ReplicaStatus] = {}

    def all(self) -> tuple[ReplicaStatus, ...]:
        """Return all states, in the order in which the replicas became known."""
        return tuple(self._standings.values())

    def state(self, replica_id: str) -> ReplicaPhase | None:
        """Return one replica's state; None where the replica is not known."""
        found = self._standings.get(replica_id)
        return None if found is None else found.state

    def set(
        self, replica_id: str, state: ReplicaPhase, reason: str = "", remedy: str = ""
    ) -> ReplicaStatus | None:
        """Set a replica's state and return it; return None where nothing has changed."""
        old = self._standings.get(replica_id)
        if old is not None and (old.state, old.reason) == (state, reason):
            return None
        since = old.since if old is not None and old.state is state else self._clock()
        self._standings[replica_id] = new = ReplicaStatus(replica_id, state, since, reason, remedy)
        return new

    def forget(self, replica_id: str) -> None:
        """Forget a replica."""
        self._standings.pop(replica_id, None)
