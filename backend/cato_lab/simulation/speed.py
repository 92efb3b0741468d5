"""How fast a replica computes over time, measured against its law."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Slowdown:
    """From `start_s` until `end_s` the replica computes at `speed` times its usual speed."""

    start_s: float
    end_s: float
    speed: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What makes the steps of one replica longer or shorter than its law says."""

    noise: float = 0.0
    """Standard deviation of the logarithm of a step's duration; the mean duration stays."""
    noise_step_s: float = 0.02
    """Computing time that shares one draw: about one step of the replica."""
    slowdowns: tuple[Slowdown, ...] = ()
    """Ascending, without overlaps: a neighbour on the GPU, throttling, pauses."""
    seed: int = 0

    def pace(self, until_s: float) -> Pace:
        """Return the map between both clocks; from `until_s` on the replica keeps to its law."""
        real, shared = _slowed(self.slowdowns)
        if not self.noise:
            return Pace(real, shared)
        steps = int(until_s / self.noise_step_s)
        draws = np.random.default_rng(self.seed).normal(0.0, self.noise, steps)
        took = self.noise_step_s * np.exp(draws - self.noise**2 / 2)
        computed = np.concatenate([[0.0], np.cumsum(took)])
        # The clock of the law at `computed` seconds of computing; both are mapped to real time.
        engine = self.noise_step_s * np.arange(steps + 1)
        return Pace(_inverse(computed, real, shared).tolist(), engine.tolist())


STEADY = Speed()
"""Every step takes what the law says."""


class Pace:
    """A piecewise linear map of real time to the engine's own time, and back. Seconds.

    One second of the engine's own time is what the law calls a second. Beyond the last knot both
    clocks run alike.
    """

    def __init__(self, real: Sequence[float], engine: Sequence[float]) -> None:
        """Take the knots of the map, both ascending, beginning at 0."""
        self._real, self._engine = real, engine

    def engine_time(self, real_time: float) -> float:
        """Return the engine's own time at this moment."""
        return _mapped(real_time, self._real, self._engine)

    def real_time(self, engine_time: float) -> float:
        """Return when the engine's own clock shows this time."""
        return _mapped(engine_time, self._engine, self._real)


def _mapped(value: float, source: Sequence[float], image: Sequence[float]) -> float:
    place = bisect_right(source, value)
    if place == len(source):
        return image[-1] + value - source[-1]
    if not place:
        return value
    low, high = source[place - 1], source[place]
    share = (value - low) / (high - low)
    return image[place - 1] + share * (image[place] - image[place - 1])


def _slowed(slowdowns: Sequence[Slowdown]) -> tuple[list[float], list[float]]:
    """Return the knots of real time, and of the computing done by then."""
    real, computed = [0.0], [0.0]
    for each in slowdowns:
        for until, speed in ((each.start_s, 1.0), (each.end_s, each.speed)):
            if until > real[-1]:
                computed.append(computed[-1] + speed * (until - real[-1]))
                real.append(until)
    return real, computed


def _inverse(
    computed: np.ndarray[tuple[int], np.dtype[np.float64]],
    real: Sequence[float],
    shared: Sequence[float],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Real times at which so much computing is done."""
    beyond = np.maximum(0.0, computed - shared[-1])
    return np.interp(computed, shared, real) + beyond
