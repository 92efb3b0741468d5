"""How each replica is: its state, since when, why, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class ReplicaState(StrEnum):
    """Of one replica."""

    STARTING = "starting"
    """It has not been up yet."""
    UP = "up"
    DOWN = "down"
    """It gets no requests, and is looked for."""
    FAILED = "failed"
    """It was given up."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One replica's state, and what led to it."""

    replica_id: str
    state: ReplicaState
    since: float
    """Seconds since the epoch."""
    reason: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        advice = f"; {self.remedy}" if self.remedy else ""
        return f"{self.state}: {self.reason}{advice}" if self.reason else self.state


class Standings:
    """Of a fleet. `clock` tells seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._standings: dict[str, Standing] = {}

    def all(self) -> tuple[Standing, ...]:
        """In the order in which the replicas became known."""
        return tuple(self._standings.values())

    def state(self, replica_id: str) -> ReplicaState | None:
        """Of one replica; None where it is not known."""
        found = self._standings.get(replica_id)
        return None if found is None else found.state

    def set(
        self, replica_id: str, state: ReplicaState, reason: str = "", remedy: str = ""
    ) -> Standing | None:
        """The new standing; None where it is what it was."""
        old = self._standings.get(replica_id)
        if old is not None and (old.state, old.reason) == (state, reason):
            return None
        since = old.since if old is not None and old.state is state else self._clock()
        self._standings[replica_id] = new = Standing(replica_id, state, since, reason, remedy)
        return new

    def forget(self, replica_id: str) -> None:
        """The replica was ended on purpose."""
        self._standings.pop(replica_id, None)
