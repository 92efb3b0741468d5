"""Tells people and Prometheus of replicas that are ejected and that come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cato_backend.metrics import Metrics
from cato_backend.scheduling import (
    Abort,
    Decision,
    Eject,
    Event,
    Reason,
    Reinstate,
    ReplicaDown,
    ReplicaUp,
)

_WHY = {
    Reason.FAILURES: "attempts on it failed, one after the other",
    Reason.OVERDUE: "it takes requests and does not begin to answer them",
    Reason.BUSY: "it refused a request for want of room",
}


class Ejections:
    """A `Watcher` of the runtime. `on_note` gets a replica's id and a text."""

    def __init__(self, metrics: Metrics, on_note: Callable[[str, str], None]) -> None:
        self._metrics = metrics
        self._on_note = on_note
        self._said: dict[str, Reason] = {}

    def note(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        """One event, and what was decided on it."""
        match event:
            case ReplicaUp(replica_id):
                self._metrics.ejected.labels(replica_id).set(0)
            case ReplicaDown(replica_id):
                self._forget(replica_id)
            case _:
                pass
        moved = sum(isinstance(decision, Abort) and decision.moved for decision in decisions)
        if moved:
            self._metrics.attempts_moved.inc(moved)
        for decision in decisions:
            if isinstance(decision, Eject):
                self._ejected(decision, moved)
            elif isinstance(decision, Reinstate):
                self._reinstated(decision.replica_id)

    def _ejected(self, decision: Eject, moved: int) -> None:
        replica_id, reason, rest_s, _ = decision
        self._metrics.ejections.labels(replica_id, reason).inc()
        self._metrics.ejected.labels(replica_id).set(1)
        if reason is Reason.BUSY and self._said.get(replica_id) is reason:
            return  # It may say so every second.
        self._said[replica_id] = reason
        what = f"; attempts moved: {moved}" if moved else ""
        how_long = (
            "until it answers a synthetic request"
            if reason is Reason.OVERDUE
            else f"for {rest_s:g} s"
        )
        self._on_note(replica_id, f"ejected {how_long}: {_WHY[reason]}{what}")

    def _reinstated(self, replica_id: str) -> None:
        self._metrics.ejected.labels(replica_id).set(0)
        self._said.pop(replica_id, None)
        self._on_note(replica_id, "back in service")

    def _forget(self, replica_id: str) -> None:
        self._said.pop(replica_id, None)
        self._metrics.ejected.labels(replica_id).set(0)
