"""The central queue of one model: an order, removal from anywhere, and when to look again."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Container, Iterable, Iterator
from itertools import count
from typing import NamedTuple, TypeAlias

from cato_backend.requests import Request

Key: TypeAlias = tuple[float, ...]
"""A place in the queue: lower is looked at earlier; equals in the order of their coming."""
Rank: TypeAlias = tuple[Key, int]


class Waiting(NamedTuple):
    """A queued request with the state of its earlier attempts. Times on the scheduler's clock."""

    request: Request
    expires: float
    """When it leaves the queue, whatever the fleet does."""
    gives_up: float
    """When it leaves the queue if no replica serves its model."""
    attempts: int = 0
    emitted: int = 0
    avoid: frozenset[str] = frozenset()
    """Replicas that failed it: used again only when there is no other, and not before `rests`."""
    rests: float = 0.0
    """Until when a replica that failed it is left to come to rest."""


class Queue:
    """Requests in the policy's order; equals keep the order in which they came.

    Those that are asleep keep their places, and are not looked at.
    """

    def __init__(self) -> None:
        self._ranks: list[tuple[Rank, str]] = []
        self._waiting: dict[str, tuple[Rank, Waiting]] = {}
        self._asleep: set[str] = set()
        self._arrivals = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._waiting

    def __iter__(self) -> Iterator[Waiting]:
        """First to be looked at first; what is moved or removed meanwhile changes nothing here."""
        for _, request_id in tuple(self._ranks):
            if request_id in self._waiting:
                yield self._waiting[request_id][1]

    def everybody(self) -> Iterable[Waiting]:
        """Return those that are asleep as well, in no order."""
        return [waiting for _, waiting in self._waiting.values()]

    def put(self, waiting: Waiting, key: Key) -> None:
        """Queue a request."""
        rank = (key, next(self._arrivals))
        self._waiting[waiting.request.id] = (rank, waiting)
        insort(self._ranks, (rank, waiting.request.id))

    def move(self, request_id: str, key: Key) -> None:
        """Give one that is awake another place; among equals, the one of its coming."""
        (old, arrival), waiting = self._waiting[request_id]
        if old == key:
            return
        self._unlist((old, arrival), request_id)
        self._waiting[request_id] = ((key, arrival), waiting)
        insort(self._ranks, ((key, arrival), request_id))

    def sleep(self, request_id: str) -> None:
        """Suspend it until it is woken."""
        if request_id not in self._asleep:
            self._unlist(self._waiting[request_id][0], request_id)
            self._asleep.add(request_id)

    def wake(self, request_id: str) -> None:
        """Consider it again where it stands; nothing happens if it is awake or has left."""
        if request_id in self._asleep:
            self._asleep.discard(request_id)
            insort(self._ranks, (self._waiting[request_id][0], request_id))

    def get(self, request_id: str) -> Waiting | None:
        """Return the request where it stands; None where it is not queued."""
        found = self._waiting.get(request_id)
        return None if found is None else found[1]

    def take(self, request_id: str) -> Waiting | None:
        """Take the request out, from wherever it stands; None where it is not queued."""
        found = self._waiting.pop(request_id, None)
        if found is None:
            return None
        rank, waiting = found
        if request_id in self._asleep:
            self._asleep.discard(request_id)
        else:
            self._unlist(rank, request_id)
        return waiting

    def _unlist(self, rank: Rank, request_id: str) -> None:
        del self._ranks[bisect_left(self._ranks, (rank, request_id))]


class Alarms:
    """Times, each with a queued request; those of requests that have left are not announced."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str, str]] = []
        self._announced: float | None = None
        self._look_again: float | None = None

    def look_again(self, time: float | None) -> None:
        """When a policy wants to look at what it keeps, whatever happens; None: at no time."""
        self._look_again = time

    def nobody_waits(self) -> None:
        """Forget all times: they were those of requests that have left."""
        self._heap.clear()
        self._look_again = None

    def set(self, time: float, model: str, request_id: str) -> None:
        """Remember to look at the request at `time`."""
        heapq.heappush(self._heap, (time, model, request_id))

    def due(self, now: float) -> list[tuple[str, str]]:
        """Take out what has come due: pairs of model and request id."""
        found: list[tuple[str, str]] = []
        while self._heap and self._heap[0][0] <= now:
            _, model, request_id = heapq.heappop(self._heap)
            found.append((model, request_id))
        return found

    def is_due(self, now: float) -> bool:
        """Return whether the time has come for a queued request, or for what a policy keeps."""
        alarm = bool(self._heap) and self._heap[0][0] <= now
        return alarm or (self._look_again is not None and self._look_again <= now)

    def woke(self) -> None:
        """Act at the time that was announced last."""
        self._announced = None

    def next_change(self, queued: Container[str], look: float | None) -> float | None:
        """Return the next time at which something must be considered: what is queued, or replicas.

        `look`: when the replicas are to be looked at, whatever happens; None: at no time. Returns
        None where the time is the one announced last.
        """
        # Most requests are sent at once: to wake up for their alarms was half of all events.
        heap = self._heap
        while heap and heap[0][2] not in queued:
            heapq.heappop(heap)
        time = look if self._look_again is None else earliest(self._look_again, look)
        if heap:
            time = earliest(time, heap[0][0])
        if time is None or time == self._announced:
            return None
        self._announced = time
        return time


def earliest(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two times, either of which may be missing."""
    if one is None or (other is not None and other < one):
        return other
    return one
