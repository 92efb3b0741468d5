"""The queues of all models: their bounds, the eviction from a full one, and its service rate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import ItemsView
from itertools import chain

from cato_backend.requests import Origin, Request
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.queue import Alarms, Key, Queue, Waiting

_RATE_SMOOTHING = 0.1
_SHORTEST_S, _LONGEST_S = 0.05, 30.0


class ServiceRate:
    """The mean of the seconds between two requests that leave their replicas.

    It is exponentially weighted, and taken while others wait: what leaves an idle fleet tells how
    often it is asked, not how fast it is.
    """

    def __init__(self) -> None:
        self._gap_s: float | None = None
        self._last: float | None = None

    def left(self, now: float, waiting: int) -> None:
        """Record that a request has left its replica, and how many requests were queued."""
        if waiting and self._last is not None:
            gap = now - self._last
            mean = gap if self._gap_s is None else self._gap_s
            self._gap_s = mean + _RATE_SMOOTHING * (gap - mean)
        self._last = now if waiting else None

    def empties_in(self, waiting: int) -> float:
        """Return the seconds until this number of requests will have left the queue.

        0 while nothing is known.
        """
        return (self._gap_s or 0.0) * waiting

    def retry_after(self, waiting: int) -> float:
        """Return seconds until half of them will have left; 1 s while nothing is known."""
        if self._gap_s is None:
            return 1.0
        return min(_LONGEST_S, max(_SHORTEST_S, self.empties_in(waiting) / 2))


class Backlog:
    """Queued requests of one model."""

    def __init__(self) -> None:
        self._tenants = defaultdict[str, _Tenant](_Tenant)
        self.over_budget: dict[str, None] = {}
        """Ids of those over their budget, in the order of their coming."""

    def add(self, request: Request) -> None:
        """Record that it is queued."""
        origin = request.origin
        tenant = self._tenants[origin.tenant]
        tenant.waiting += 1
        tenant.sessions[origin.session][request.id] = None
        if request.share.over_budget:
            self.over_budget[request.id] = None

    def remove(self, request: Request) -> None:
        """Record that it is no longer queued."""
        origin = request.origin
        self.over_budget.pop(request.id, None)
        tenant = self._tenants[origin.tenant]
        tenant.waiting -= 1
        session = tenant.sessions[origin.session]
        del session[request.id]
        if not session:
            del tenant.sessions[origin.session]
        if not tenant.waiting:
            del self._tenants[origin.tenant]

    def of_session(self, origin: Origin) -> int:
        """Return how many requests of the session are queued."""
        tenant = self._tenants.get(origin.tenant)
        return len(tenant.sessions.get(origin.session, ())) if tenant else 0

    def longest(self, origin: Origin) -> list[str]:
        """Return the requests that may go for one of this origin, the newest first.

        As in the longest queue drop of fair queueing: one who sends much cannot shut others out.
        """
        if not self._tenants:
            return []
        name = max(self._tenants, key=lambda each: self._tenants[each].waiting)
        tenant, own = self._tenants[name], self._tenants.get(origin.tenant)
        if name != origin.tenant and tenant.waiting < (own.waiting if own else 0) + 2:
            name, tenant = origin.tenant, own or _Tenant()
        session = max(tenant.sessions.values(), key=len, default=dict[str, None]())
        if name == origin.tenant and len(session) < self.of_session(origin) + 2:
            return []
        return list(reversed(session))


class _Tenant:
    __slots__ = ("sessions", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        # `defaultdict[...](dict)` takes three times as long, and one is made for most requests.
        self.sessions: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """Request ids by session, in the order of their coming."""


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

    @property
    def any_waiting(self) -> bool:
        """Whether a request of any model is queued."""
        return bool(self._models)

    def queues(self) -> ItemsView[str, Queue]:
        """Return the models with their queues."""
        return self._queues.items()

    def waiting(self, model: str) -> int:
        """Return how many requests for the model are queued."""
        return len(self._queues[model]) if model in self._queues else 0

    def left_replica(self, model: str, now: float) -> None:
        """Record that a request of the model has left its replica, however it ended."""
        self._paces[model].left(now, self.waiting(model))

    def retry_after(self, model: str) -> float:
        """Return seconds after which a request that was refused may find room."""
        return self._paces[model].retry_after(self.waiting(model))

    def one_too_many(self, request: Request) -> str | None:
        """Return the id of the request that has to go so that this one may wait: it may be its own.

        None while there is room. A session is bounded only where it is named. Those over their
        budget go first.
        """
        backlog = self._backlogs[request.model]
        of_session = backlog.of_session(request.origin) if request.origin.session else 0
        if of_session >= self._limits.max_waiting_per_session:
            return request.id
        if not self._is_full(request.model):
            return None
        if request.share.over_budget:
            return request.id
        for longest in chain(reversed(backlog.over_budget), backlog.longest(request.origin)):
            waiting = self.get(longest)
            if waiting is not None and not waiting.attempts:
                return longest
        return request.id

    def put(self, waiting: Waiting, key: Key) -> None:
        """Queue a request, and remember when its patience ends."""
        request = waiting.request
        self._queues[request.model].put(waiting, key)
        self._models[request.id] = request.model
        self._backlogs[request.model].add(request)
        self._alarms.set(waiting.gives_up, request.model, request.id)
        if waiting.expires != waiting.gives_up:
            self._alarms.set(waiting.expires, request.model, request.id)

    def get(self, request_id: str) -> Waiting | None:
        """Return the request where it stands; None where it is not queued."""
        model = self._models.get(request_id)
        return None if model is None else self._queues[model].get(request_id)

    def take(self, request_id: str) -> Waiting | None:
        """Take the request out; None where it is not queued."""
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
