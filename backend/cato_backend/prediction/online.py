"""Statistics that are updated with each observation: exponential averages, and bounds that hold.

The bounds are adaptive conformal inference on residuals. A prediction is multiplied with a quantile
of the last ratios observed / predicted. The quantile's level is moved after each answer (Gibbs and
Candes, 2021), a little up after a bound that did not hold, a little down after one that did, so
that the share that holds converges to what was asked for whatever the residuals do.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

_FIRST_GUESS = 3.0
"""Code under a byte-level BPE of 8k to 150k entries takes 2.5 to 3.8 characters a token."""
_SMOOTHING = 0.05
_FEWEST_TOKENS = 16
"""Shorter prompts say more about their special tokens than about the text."""
MEMORY_S = 30.0
_LEAST_S = 5.0
"""Shorter times are too short to measure a rate."""
_WINDOW = 400
"""Ratios remembered."""
_STEP = 0.005
"""How far the level moves after a bound that did not hold."""
_FIRST_FACTOR = 1.5
"""Before there are enough ratios for the quantile."""
_FEWEST_RATIOS = 20
_RECENT = 0.005
"""Weight of one answer in the recent coverage."""


class CharsPerToken:
    """An exponentially weighted mean for one model."""

    def __init__(self) -> None:
        self._mean = _FIRST_GUESS

    @property
    def mean(self) -> float:
        """Characters per token; for estimates."""
        return self._mean

    def observe(self, chars: int, tokens: int) -> None:
        """Record that the engine counted `tokens` in a prompt of `chars` characters."""
        if tokens >= _FEWEST_TOKENS and chars > 0:
            self._mean += _SMOOTHING * (chars / tokens - self._mean)

    def tokens(self, chars: int) -> int:
        """Return the estimated tokens of a text, at least 1."""
        return max(1, round(chars / self._mean))


class LoadAverages:
    """Exponential averages of the load over about the last half minute."""

    def __init__(self) -> None:
        self.decoding: float | None = None
        """Sequences that decode on it, on average; None before it was looked at."""
        self._looked_at = 0.0
        self._tokens = 0.0
        self._sent_at = 0.0
        self._since: float | None = None

    def decodes(self, sequences: int, now: float) -> None:
        """So many decode now."""
        if self.decoding is None:
            self.decoding = float(sequences)
        share = -math.expm1((self._looked_at - now) / MEMORY_S)
        self.decoding += share * (sequences - self.decoding)
        self._looked_at = now

    def sent(self, uncached: int, now: float) -> None:
        """Record a prompt that it was sent, and the number of its tokens to compute."""
        if self._since is None:
            self._since = now
        self._tokens = self._kept(now) + uncached
        self._sent_at = now

    def prefill_rate(self, now: float) -> float:
        """Uncached prompt tokens a second; of a replica that is new, over the time it is there."""
        if self._since is None:
            return 0.0
        seen_s = max(_LEAST_S, now - self._since)
        return self._kept(now) / (MEMORY_S * -math.expm1(-seen_s / MEMORY_S))

    def _kept(self, now: float) -> float:
        if now == self._sent_at:
            return self._tokens
        return self._tokens * math.exp((self._sent_at - now) / MEMORY_S)


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
        if len(self._sorted) < _FEWEST_RATIOS:
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
