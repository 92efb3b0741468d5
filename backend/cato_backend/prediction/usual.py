"""What is usual on a replica: its batch, and the prompts that keep coming in."""

from __future__ import annotations

import math

MEMORY_S = 30.0
_LEAST_S = 5.0
"""Shorter times say nothing of a rate."""


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
