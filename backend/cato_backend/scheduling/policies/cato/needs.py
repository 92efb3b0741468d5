"""What the requests that come next need of a replica, by those that have come."""

from __future__ import annotations

import math

from cato_backend.requests import Request
from cato_backend.scheduling.policies.cato.lengths import Length
from cato_backend.scheduling.policies.cato.order import ATTAINABLE
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.wire.headers import Task

_RATE = 0.05
"""Weight of one request in what is known of its class."""


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
