"""The queues of all models, and what bounds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import ItemsView

from cato_backend.requests import Request
from cato_backend.scheduling.alarms import Alarms
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.queue import Key, Queue, Waiting


class WaitingRoom:
    """One queue per model; counts per session; an alarm for every end of patience."""

    def __init__(self, limits: Limits, alarms: Alarms) -> None:
        self._limits = limits
        self._alarms = alarms
        self._queues: defaultdict[str, Queue] = defaultdict(Queue)
        self._models: dict[str, str] = {}
        self._per_session: defaultdict[tuple[str, str], int] = defaultdict(int)

    def __contains__(self, request_id: object) -> bool:
        return request_id in self._models

    def queues(self) -> ItemsView[str, Queue]:
        """Models with their queues."""
        return self._queues.items()

    def waiting(self, model: str) -> int:
        """How many requests for the model are queued."""
        return len(self._queues[model]) if model in self._queues else 0

    def is_full(self, request: Request) -> bool:
        """Whether the request is one too many, for its model or for its session."""
        return (
            self.waiting(request.model) >= self._limits.max_waiting
            or self._per_session.get(_session(request), 0) >= self._limits.max_waiting_per_session
        )

    def put(self, waiting: Waiting, key: Key) -> None:
        """Queues a request, and remembers when its patience ends."""
        request = waiting.request
        self._queues[request.model].put(waiting, key)
        self._models[request.id] = request.model
        self._per_session[_session(request)] += 1
        self._alarms.set(waiting.gives_up, request.model, request.id)
        self._alarms.set(waiting.expires, request.model, request.id)

    def get(self, request_id: str) -> Waiting | None:
        """The request where it stands; None where it is not queued."""
        model = self._models.get(request_id)
        return None if model is None else self._queues[model].get(request_id)

    def take(self, request_id: str) -> Waiting | None:
        """Takes the request out; None where it is not queued."""
        model = self._models.pop(request_id, None)
        if model is None:
            return None
        waiting = self._queues[model].take(request_id)
        if waiting is not None:
            session = _session(waiting.request)
            self._per_session[session] -= 1
            if not self._per_session[session]:
                del self._per_session[session]
        return waiting


def _session(request: Request) -> tuple[str, str]:
    return (request.origin.tenant, request.origin.session)
