"""The queues of all models, and what bounds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import ItemsView

from cato_backend.requests import Request
from cato_backend.scheduling.alarms import Alarms
from cato_backend.scheduling.backlog import Backlog
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.pace import ServiceRate
from cato_backend.scheduling.queue import Key, Queue, Waiting


class WaitingRoom:
    """One queue per model, bounded in requests and in time; an alarm for every end of patience."""

    def __init__(self, limits: Limits, alarms: Alarms) -> None:
        self._limits = limits
        self._alarms = alarms
        self._queues: defaultdict[str, Queue] = defaultdict(Queue)
        self._models: dict[str, str] = {}
        self._backlogs = defaultdict[str, Backlog](Backlog)
        self._paces = defaultdict[str, ServiceRate](ServiceRate)

    def __contains__(self, request_id: object) -> bool:
        return request_id in self._models

    def queues(self) -> ItemsView[str, Queue]:
        """Models with their queues."""
        return self._queues.items()

    def waiting(self, model: str) -> int:
        """How many requests for the model are queued."""
        return len(self._queues[model]) if model in self._queues else 0

    def left_replica(self, model: str, now: float) -> None:
        """A request of the model has left its replica, however it ended."""
        self._paces[model].left(now, self.waiting(model))

    def retry_after(self, model: str) -> float:
        """Seconds after which a request that was refused may find room."""
        return self._paces[model].retry_after(self.waiting(model))

    def one_too_many(self, request: Request) -> str | None:
        """The id of the request that has to go so that this one may wait: it may be its own.

        None while there is room. A session is bounded only where it is named.
        """
        backlog = self._backlogs[request.model]
        of_session = backlog.of_session(request.origin) if request.origin.session else 0
        if of_session >= self._limits.max_waiting_per_session:
            return request.id
        if not self._is_full(request.model):
            return None
        for longest in backlog.longest(request.origin):
            waiting = self.get(longest)
            if waiting is not None and not waiting.attempts:
                return longest
        return request.id

    def put(self, waiting: Waiting, key: Key) -> None:
        """Queues a request, and remembers when its patience ends."""
        request = waiting.request
        self._queues[request.model].put(waiting, key)
        self._models[request.id] = request.model
        self._backlogs[request.model].add(request)
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
            self._backlogs[model].remove(waiting.request)
        return waiting

    def _is_full(self, model: str) -> bool:
        """By count, or because what waits will take longer than anything may wait."""
        waiting = self.waiting(model)
        empties_in_s = self._paces[model].empties_in(waiting + 1)
        return waiting >= self._limits.max_waiting or empties_in_s > self._limits.max_wait_s
