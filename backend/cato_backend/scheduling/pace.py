"""How fast requests leave, so that a refused client can be told when to come back."""

from __future__ import annotations

_SMOOTHING = 0.1
_SHORTEST_S, _LONGEST_S = 0.05, 30.0


class Pace:
    """An exponentially weighted mean of the seconds between two finished requests."""

    def __init__(self) -> None:
        self._gap_s: float | None = None
        self._last: float | None = None

    def finished(self, now: float) -> None:
        """A request has finished at `now`."""
        if self._last is not None:
            gap = now - self._last
            mean = gap if self._gap_s is None else self._gap_s
            self._gap_s = mean + _SMOOTHING * (gap - mean)
        self._last = now

    def wait_for(self, waiting: int) -> float:
        """Seconds until half of `waiting` requests will have left; 1 s while nothing is known."""
        if self._gap_s is None:
            return 1.0
        return min(_LONGEST_S, max(_SHORTEST_S, self._gap_s * waiting / 2))
