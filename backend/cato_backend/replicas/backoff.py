"""Exponential back-off with jitter, as gRPC waits between two attempts to connect."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_DOUBLINGS = 64
"""Beyond it any wait is the longest; a power of a count without a bound would overflow."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds (gRPC's connection-backoff.md)."""

    initial_s: float = 1.0
    multiplier: float = 1.6
    jitter: float = 0.2
    """Share of each wait that is added or taken at random."""
    max_s: float = 30.0

    def delay_s(self, failures: int, chance: float = 0.5) -> float:
        """After so many failures in a row, counted from 1; `chance` is between 0 and 1."""
        grown = self.initial_s * self.multiplier ** min(failures - 1, _MOST_DOUBLINGS)
        return min(self.max_s, grown) * (1 + self.jitter * (2 * chance - 1))
