"""How often a replica is checked, and how long is waited after failures."""

from __future__ import annotations

from dataclasses import dataclass, field

_MOST_DOUBLINGS = 64
"""Beyond it any wait is the longest; a power of a count without a bound would overflow."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with jitter; waits in seconds (gRPC's connection-backoff.md)."""

    initial_s: float = 1.0
    multiplier: float = 1.6
    jitter: float = 0.2
    """Share of each wait that is added or taken at random."""
    max_s: float = 30.0

    def delay_s(self, failures: int, chance: float = 0.5) -> float:
        """After so many failures in a row, counted from 1; `chance` is between 0 and 1."""
        grown = self.initial_s * self.multiplier ** min(failures - 1, _MOST_DOUBLINGS)
        return min(self.max_s, grown) * (1 + self.jitter * (2 * chance - 1))


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """The values of `config.HealthCheckConfig`."""

    interval_s: float = 1.0
    timeout_s: float = 5.0
    unhealthy_threshold: int = 3
    models_interval_s: float = 5.0
    backoff: Backoff = field(default_factory=Backoff)
