"""When queued requests must be looked at again."""

from __future__ import annotations

import heapq


class Alarms:
    """Times, each with a queued request; a request that has left in the meantime does no harm."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str, str]] = []
        self._announced: float | None = None
        self._look_again: float | None = None

    def look_again(self, time: float | None) -> None:
        """When a policy wants to look at what it keeps, whatever happens; None: at no time."""
        self._look_again = time

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

    def woke(self) -> None:
        """The time announced last has come."""
        self._announced = None

    def next_change(self) -> float | None:
        """The next time, if it differs from the one announced last."""
        times = [self._heap[0][0]] if self._heap else []
        if self._look_again is not None:
            times.append(self._look_again)
        if not times or min(times) == self._announced:
            return None
        self._announced = min(times)
        return self._announced
