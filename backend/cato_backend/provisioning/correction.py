"""What the engine model does not know of this fleet, as one factor on its capacity."""

from __future__ import annotations

from math import exp

_MEMORY_S = 300.0
_ENOUGH = 100.0
"""Answers within the memory before anything is learned."""
_DEAD_BAND = 0.02
_GAIN = 0.1
_MOST = 0.01
"""One step's change at most."""
_BOUNDS = (0.7, 1.5)


class Correction:
    """Grows while goodput is better than predicted at the loads that there were, shrinks while it
    is worse.

    Where both are near 100% nothing is learned; the planned count then falls until something is.
    Both are means over minutes, because answers come later than the requests that they belong to.
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self._seen = _Mean()
        self._predicted = _Mean()
        self._time: float | None = None

    def seen(self, met: bool) -> None:
        """A request is over."""
        self._seen.add(met, 1.0)

    def learn(self, predicted: float, requests: float, now: float) -> None:
        """So many requests arrived since the last time, at a load for which the curve (with the
        present factor) predicts this goodput."""
        kept = exp(-(now - self._time) / _MEMORY_S) if self._time is not None else 1.0
        self._time = now
        self._seen.fade(kept)
        self._predicted.fade(kept)
        self._predicted.add(predicted, requests)
        if self._seen.weight < _ENOUGH:
            return
        error = self._seen.mean - self._predicted.mean
        if abs(error) > _DEAD_BAND:
            step = min(_MOST, max(-_MOST, _GAIN * error))
            self.factor = min(_BOUNDS[1], max(_BOUNDS[0], self.factor * (1 + step)))


class _Mean:
    def __init__(self) -> None:
        self.weight = 0.0
        self._sum = 0.0

    @property
    def mean(self) -> float:
        return self._sum / self.weight if self.weight else 1.0

    def add(self, value: float, weight: float) -> None:
        self.weight += weight
        self._sum += weight * value

    def fade(self, kept: float) -> None:
        self.weight *= kept
        self._sum *= kept
