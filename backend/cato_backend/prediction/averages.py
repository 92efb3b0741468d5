"""Exponential averages: the characters of a token, and the usual load of a replica."""

from __future__ import annotations

import math

_FIRST_GUESS = 3.0
"""Code under a byte-level BPE of 8k to 150k entries takes 2.5 to 3.8 characters a token."""
_SMOOTHING = 0.05
_FEWEST_TOKENS = 16
"""Shorter prompts say more about their special tokens than about the text."""
MEMORY_S = 30.0
_LEAST_S = 5.0
"""Shorter times say nothing of a rate."""


class CharsPerToken:
    """An exponentially weighted mean for one model."""

    def __init__(self) -> None:
        self._mean = _FIRST_GUESS

    @property
    def mean(self) -> float:
        """Characters per token; for estimates."""
        return self._mean

    def observe(self, chars: int, tokens: int) -> None:
        """The engine counted `tokens` in a prompt of `chars` characters."""
        if tokens >= _FEWEST_TOKENS and chars > 0:
            self._mean += _SMOOTHING * (chars / tokens - self._mean)

    def tokens(self, chars: int) -> int:
        """The estimated tokens of a text, at least 1."""
        return max(1, round(chars / self._mean))


class LoadAverages:
    """Exponential averages over the last half minute or so, from what a gateway sees of it."""

    def __init__(self) -> None:
        self.decoding: float | None = None
        """Sequences that decode on it, in the mean; None before it was looked at."""
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
        """It was sent a prompt, so many tokens of which are to be computed."""
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
        return self._tokens * math.exp((self._sent_at - now) / MEMORY_S)
