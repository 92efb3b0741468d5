"""How fast a queue empties: what bounds it, and when a refused client should come back."""

from __future__ import annotations

_SMOOTHING = 0.1
_SHORTEST_S, _LONGEST_S = 0.05, 30.0


class ServiceRate:
    """An exponentially weighted mean of the seconds between two requests that leave their replicas
    while others wait. What leaves an idle fleet tells how often it is asked, not how fast it is."""

    def __init__(self) -> None:
        self._gap_s: float | None = None
        self._last: float | None = None

    def left(self, now: float, waiting: int) -> None:
        """A request has left its replica, while so many waited."""
        if waiting and self._last is not None:
            gap = now - self._last
            mean = gap if self._gap_s is None else self._gap_s
            self._gap_s = mean + _SMOOTHING * (gap - mean)
        self._last = now if waiting else None

    def empties_in(self, waiting: int) -> float:
        """Seconds until so many requests will have left the queue; 0 while nothing is known."""
        return (self._gap_s or 0.0) * waiting

    def retry_after(self, waiting: int) -> float:
        """Seconds until half of them will have left; 1 s while nothing is known."""
        if self._gap_s is None:
            return 1.0
        return min(_LONGEST_S, max(_SHORTEST_S, self.empties_in(waiting) / 2))
