"""Reproducible pseudo-random numbers: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""

from __future__ import annotations

_MASK = (1 << 64) - 1


class SplitMix64:
    """A stream of numbers, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def below(self, bound: int) -> int:
        """Return a number in [0, bound); bound must be positive."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ (mixed >> 31)) % bound
