"""The replicas of one model, with the counts and lists that are kept of them."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from cato_backend.scheduling.replica import ReplicaLoad


@dataclass(slots=True)
class ModelLoad:
    """The replicas of one model, and sums over them."""

    replicas: dict[str, ReplicaLoad] = field(default_factory=dict[str, ReplicaLoad])
    with_room: list[ReplicaLoad] = field(default_factory=list[ReplicaLoad])
    """By id, so that a policy's ties fall the same way in every run."""
    with_open_slot: list[ReplicaLoad] = field(default_factory=list[ReplicaLoad])
    """Those of them that have room beside what is kept for newcomers; in the same order."""
    least_context: int | None = None
    """The smallest context among them; None where none of them tells it."""
    accepting: int = 0
    asleep: int = 0
    slots: int = 0
    running: int = 0

    def enlist(self, replica: ReplicaLoad) -> None:
        """Add the replica to the lists that it belongs to."""
        if replica.has_room:
            insort(self.with_room, replica, key=_by_id)
        if replica.has_open_slot:
            insort(self.with_open_slot, replica, key=_by_id)

    def unlist(self, replica: ReplicaLoad) -> None:
        """Take the replica out of both lists."""
        _remove(self.with_room, replica)
        _remove(self.with_open_slot, replica)

    def unlist_full(self, replica: ReplicaLoad) -> None:
        """Take the replica out of a list whose limit it has just reached."""
        if replica.running == replica.open_slots:
            _remove(self.with_open_slot, replica)
        if replica.running == replica.max_running:
            _remove(self.with_room, replica)

    def relist(self, replica: ReplicaLoad) -> None:
        """Add the replica to a list whose limit it has just left; it must not be draining."""
        if replica.running == replica.open_slots - 1:
            insort(self.with_open_slot, replica, key=_by_id)
        if replica.running == replica.max_running - 1:
            insort(self.with_room, replica, key=_by_id)

    def compare_contexts(self) -> None:
        """Find the smallest context again, after the replicas or their contexts have changed."""
        known = (each.context for each in self.replicas.values() if each.context is not None)
        self.least_context = min(known, default=None)


def _remove(listed: list[ReplicaLoad], replica: ReplicaLoad) -> None:
    """Take it out of a list that is ordered by id, if it is there."""
    index = bisect_left(listed, replica.replica_id, key=_by_id)
    if index < len(listed) and listed[index] is replica:
        del listed[index]


def _by_id(replica: ReplicaLoad) -> str:
    return replica.replica_id
