"""When queued requests must be looked at again."""

from __future__ import annotations

import heapq
from collections.abc import Container


class Alarms:
    """Times, each with a queued request; those of requests that have left are not announced."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str, str]] = []
        self._announced: float | None = None
        self._look_again: float | None = None
        self._watch: float | None = None

    def look_again(self, time: float | None) -> None:
        """When a policy wants to look at what it keeps, whatever happens; None: at no time."""
        self._look_again = time

    def watch(self, time: float | None) -> None:
        """When the replicas are to be looked at, whatever happens; None: at no time."""
        self._watch = time

    def set(self, time: float, model: str, request_id: str) -> None:
        """Remembers to look at the request at `time`."""
        heapq.heappush(self._heap, (time, model, request_id))

    def due(self, now: float) -> list[tuple[str, str]]:
        """Takes out what has come due: pairs of model and request id."""
        found: list[tuple[str, str]] = []
        while self._heap and self._heap[0][0] <= now:
            _, model, request_id = heapq.heappop(self._heap)
            found.append((model, request_id))
        return found

    def is_due(self, now: float) -> bool:
        """Whether the time has come for a queued request, or for what a policy keeps."""
        alarm = bool(self._heap) and self._heap[0][0] <= now
        return alarm or (self._look_again is not None and self._look_again <= now)

    def woke(self) -> None:
        """The time announced last has come."""
        self._announced = None

    def next_change(self, queued: Container[str]) -> float | None:
        """The next time at which a request that is still queued must be looked at, if it differs
        from the one announced last."""
        self._drop_stale(queued)
        times = [self._heap[0][0]] if self._heap else []
        times += [time for time in (self._look_again, self._watch) if time is not None]
        if not times or min(times) == self._announced:
            return None
        self._announced = min(times)
        return self._announced

    def _drop_stale(self, queued: Container[str]) -> None:
        # Most requests are sent at once: to wake up for their alarms was half of all events.
        heap = self._heap
        while heap and heap[0][2] not in queued:
            heapq.heappop(heap)
