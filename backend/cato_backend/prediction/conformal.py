"""Bounds that hold as often as they say: adaptive conformal inference on residuals.

A prediction is multiplied with a quantile of the last ratios observed / predicted. The quantile's
level is moved after each answer (Gibbs and Candes, 2021), a little up after a bound that did not
hold, a little down after one that did, so that the share that holds converges to what was asked for
whatever the residuals do.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

_WINDOW = 400
"""Ratios remembered."""
_STEP = 0.005
"""How far the level moves after a bound that did not hold."""
_FIRST_FACTOR = 1.5
"""Before there are enough ratios for the quantile."""
_FEWEST = 20
_RECENT = 0.005
"""Weight of one answer in the recent coverage."""


class Conformal:
    """Upper bounds for one kind of prediction."""

    def __init__(self, coverage: float = 0.9) -> None:
        self._wanted = coverage
        self._level = coverage
        self._ratios: deque[float] = deque()
        self._sorted: list[float] = []
        self._recent = coverage
        self._held = self._count = 0

    @property
    def coverage(self) -> float:
        """The recent share of bounds that held; what was asked for before the first."""
        return self._recent

    @property
    def total_coverage(self) -> float | None:
        """The share of all bounds that held, or None before the first."""
        return self._held / self._count if self._count else None

    @property
    def count(self) -> int:
        """Bounds that were checked."""
        return self._count

    @property
    def factor(self) -> float:
        """What a prediction is multiplied with for its bound."""
        if len(self._sorted) < _FEWEST:
            return max(_FIRST_FACTOR, self._sorted[-1] if self._sorted else 0.0)
        index = int(self._level * (len(self._sorted) + 1))
        if index >= len(self._sorted):
            return self._sorted[-1] * (1 + (self._level - self._wanted))
        return self._sorted[max(0, index)]

    def bound(self, predicted_s: float) -> float:
        """Return seconds that the event will not exceed, with the probability asked for."""
        return predicted_s * self.factor

    def observe(self, predicted_s: float, bound_s: float, observed_s: float) -> None:
        """Record that the event came after `observed_s`; it had been predicted and bounded so.

        All above 0.
        """
        held = observed_s <= bound_s
        self._held += held
        self._count += 1
        self._recent += _RECENT * (held - self._recent)
        self._level += _STEP * ((not held) - (1 - self._wanted))
        self._level = min(1.2, max(0.0, self._level))
        self._remember(observed_s / max(predicted_s, 1e-9))

    def _remember(self, ratio: float) -> None:
        self._ratios.append(ratio)
        insort(self._sorted, ratio)
        if len(self._ratios) > _WINDOW:
            oldest = self._ratios.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
