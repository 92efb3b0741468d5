"""What the engine model does not know of this fleet, as one factor on its capacity."""

from __future__ import annotations

from math import exp

_MEMORY_S = 60.0
_ENOUGH = 40.0
"""Answers within the memory before anything is learned."""
_DEAD_BAND = 0.02
_GAIN = 0.2
_MOST = 0.02
"""One step's change at most."""
_BOUNDS = (0.5, 2.0)


class Correction:
    """Grows while goodput is better than predicted at the present load, shrinks while it is worse.

    Where both are near 100% nothing is learned; the planned count then falls until something is.
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self._counted = 0.0
        self._met = 0.0
        self._expected = 0.0
        self._new = 0
        self._new_met = 0
        self._time: float | None = None

    def seen(self, met: bool) -> None:
        """A request is over."""
        self._new += 1
        self._new_met += met

    def learn(self, predicted: float, now: float) -> None:
        """`predicted`: goodput at the load of late, by the curve with the present factor."""
        kept = exp(-(now - self._time) / _MEMORY_S) if self._time is not None else 1.0
        self._time = now
        self._counted = self._counted * kept + self._new
        self._met = self._met * kept + self._new_met
        self._expected = self._expected * kept + self._new * predicted
        self._new = self._new_met = 0
        if self._counted < _ENOUGH:
            return
        error = (self._met - self._expected) / self._counted
        if abs(error) > _DEAD_BAND:
            step = min(_MOST, max(-_MOST, _GAIN * error))
            self.factor = min(_BOUNDS[1], max(_BOUNDS[0], self.factor * (1 + step)))
