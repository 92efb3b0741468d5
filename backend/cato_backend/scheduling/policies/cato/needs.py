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


class _Shortest:
    """Of each class's mean, the shortest. Seconds."""

    def __init__(self) -> None:
        self._by_task: dict[Task, float] = {}
        self.seconds = math.inf

    def observe(self, task: Task, seconds: float) -> None:
        known = self._by_task.get(task, seconds)
        self._by_task[task] = known + _RATE * (seconds - known)
        self.seconds = min(self._by_task.values())


class Needs:
    """The time to the first token and between two tokens with which every class is met.

    Work that need not run now leaves the next requests the latter. Else an overload by decoding
    does not end: relegated work makes every step so long that the next requests cannot keep their
    pace either, and are relegated, too.
    """

    def __init__(self, share: float) -> None:
        """`share`: of the needed time between tokens, what such work may bring a replica to."""
        self._share = share
        self._ttft, self._token = _Shortest(), _Shortest()

    @property
    def ttft_s(self) -> float:
        """The shortest budget for a first token; infinite where no class has one."""
        return self._ttft.seconds

    def observe(self, request: Request, length: Length) -> None:
        """A request has come; its answer will have about this length."""
        target, task = request.target, request.task
        if target.ttft_s is not None:
            self._ttft.observe(task, target.ttft_s)
        if target.tpot_s is not None:
            self._token.observe(task, target.tpot_s)
        if target.e2e_s is not None:
            self._token.observe(task, target.e2e_s / length.median)

    def keeps_pace(self, model: ReplicaModel, now: float) -> bool:
        """Whether the replica keeps the needed pace with one more request. An idle one does."""
        if not model.view.running:
            return True
        return model.token_s(now) <= max(
            self._share * self._token.seconds, ATTAINABLE * model.unit_s
        )
