"""Which replica has a slot for a request, and which classes find none anywhere."""

from __future__ import annotations

from collections import Counter

from cato_backend.requests import Request
from cato_backend.scheduling.policies.cato.options import CatoOptions
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.wire.headers import Task

_FEW = 8
"""From this many slots on, at least one is for completions, however small their share is."""


class Slots:
    """Caps by class; what is queued of each class, and which of them had no slot in this look."""

    def __init__(self, options: CatoOptions) -> None:
        self._reserved = options.reserved if options.class_caps else 0.0
        self._spare = options.spare
        self._queued: Counter[Task] = Counter()
        self._missing: set[Task] = set()

    @property
    def queued(self) -> int:
        """Requests in the queue."""
        return self._queued.total()

    def enter(self, task: Task) -> None:
        """One more of this class is queued."""
        self._queued[task] += 1

    def leave(self, task: Task) -> None:
        """One is no longer queued."""
        self._queued[task] -= 1

    def begin_look(self) -> None:
        """No class has been looked at yet."""
        self._missing.clear()

    def has_free(self, model: ReplicaModel, request: Request) -> bool:
        """Return whether the replica has one for this request, and room in its KV cache.

        The last slots, and the last share of the cache, are for completions only.
        """
        completes = request.task is Task.COMPLETION
        if not self.has_slot(model, completes=completes):
            return False
        return model.room.holds(request, 0.0 if completes else self._reserved)

    def has_slot(self, model: ReplicaModel, *, completes: bool) -> bool:
        """Return whether the replica has a slot for a completion, or for another request."""
        slots = model.room.slots
        kept = 0
        if self._reserved and not completes:
            kept = max(int(self._reserved * slots), slots >= _FEW)
        return model.view.running < max(1, slots - kept)

    def has_spare(self, model: ReplicaModel) -> bool:
        """Return whether the replica has slots to spare."""
        return model.view.running < self._spare * model.room.slots

    def is_missing(self, task: Task) -> bool:
        """Return whether no replica had one for this class in this look."""
        return task in self._missing

    def note_missing(self, task: Task) -> None:
        """No replica has one for this class."""
        self._missing.add(task)

    @property
    def all_missing(self) -> bool:
        """Whether nobody in the queue can have a slot now."""
        return not any(n for task, n in self._queued.items() if task not in self._missing)
