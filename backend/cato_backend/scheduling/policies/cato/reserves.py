"""Reserves for the next requests: slots for completions, and pace."""

from __future__ import annotations

import math
from collections import Counter

from cato_backend.requests import Request
from cato_backend.scheduling.policies.cato.lengths import Length
from cato_backend.scheduling.policies.cato.options import CatoOptions
from cato_backend.scheduling.policies.cato.order import ATTAINABLE
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.wire.headers import Task

_FEW_SLOTS = 8
"""From this many slots on, at least one is for completions, however small their share is."""
_RATE = 0.05
"""Weight of one request in what is known of its class."""


class Slots:
    """Caps and queued requests by class, and the requests that found no slot in this round."""

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
            kept = max(int(self._reserved * slots), slots >= _FEW_SLOTS)
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
        """Whether no queued request can have a slot now."""
        return not any(n for task, n in self._queued.items() if task not in self._missing)


class Needs:
    """The time between two tokens with which every class is met.

    Work that need not run now leaves it to the next requests. Else an overload by decoding
    does not end: relegated work makes every step so long that the next requests cannot keep their
    pace either, and are relegated, too.
    """

    def __init__(self, share: float) -> None:
        """`share`: of the needed time between tokens, what such work may bring a replica to."""
        self._share = share
        self._by_task: dict[Task, float] = {}
        self._token_s = math.inf
        """The shortest of the classes' means."""
        self._first_by_task: dict[Task, float] = {}
        self.first_token_s = math.inf
        """The shortest time that a class has for its first token, in its mean."""

    def observe(self, request: Request, length: Length) -> None:
        """Record that a request has come; its answer will have about this length.

        A warm request is left out: no person waits for its first token.
        """
        if request.warm:
            return
        target, task = request.target, request.task
        if target.ttft_s is not None:
            first_s = self._first_by_task.get(task, target.ttft_s)
            self._first_by_task[task] = first_s + _RATE * (target.ttft_s - first_s)
            self.first_token_s = min(self._first_by_task.values())
        token_s = target.tpot_s
        if target.e2e_s is not None:
            token_s = target.e2e_s / length.median
        if token_s is None:
            return
        known = self._by_task.get(task, token_s)
        self._by_task[task] = known + _RATE * (token_s - known)
        self._token_s = min(self._by_task.values())

    def keeps_pace(self, model: ReplicaModel, now: float) -> bool:
        """Return whether the replica keeps the needed pace with one more request.

        An idle one does.
        """
        if not model.view.running:
            return True
        return model.token_s(now) <= max(self._share * self._token_s, ATTAINABLE * model.unit_s)
