"""Values of the last so many seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Recent:
    """(time, value) pairs that are forgotten after `span_s`."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._pairs: deque[tuple[float, float]] = deque()

    def add(self, value: float, now: float) -> None:
        """Notes a value."""
        self._pairs.append((now, value))
        self.forget(now)

    def forget(self, now: float) -> None:
        """Drops what is too old."""
        while self._pairs and self._pairs[0][0] <= now - self._span_s:
            self._pairs.popleft()

    def __iter__(self) -> Iterator[float]:
        return (value for _, value in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def mean(self) -> float:
        """The mean; 0 of nothing."""
        return sum(self) / len(self) if self._pairs else 0.0
