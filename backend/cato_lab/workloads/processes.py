"""When requests come: arrival processes, each with a mean rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from numpy.random import Generator

_MMPP_RATES = (0.003, 6.81, 22.45)
_MMPP_TRANSITIONS = (
    (0.9542, 0.0439, 0.0019),
    (0.1438, 0.7833, 0.0728),
    (0.0508, 0.3029, 0.6463),
)
_MMPP_OCCUPANCY = (0.735, 0.217, 0.049)
"""Three states fitted to one-second counts of the Azure code trace of 2023 (Azure Public Dataset;
Splitwise, ISCA 2024): requests per second, transitions per second, stationary shares."""

_WEEKDAY = (
    *(0.70, 0.67, 0.64, 0.52, 0.41, 0.33, 0.29, 0.24, 0.23, 0.24, 0.26, 0.38),
    *(0.70, 1.20, 1.69, 1.80, 1.72, 1.99, 2.21, 2.25, 2.07, 1.52, 1.10, 0.84),
)
"""Requests of each hour (UTC) over the day's mean: Azure's code trace of 2024."""


class ArrivalProcess(Protocol):
    """Points on a line of time."""

    @property
    def rate(self) -> float:
        """Requests per second in the long run."""
        ...

    def times(self, duration_s: float, rng: Generator) -> Iterator[float]:
        """Ascending times in [0, duration_s)."""
        ...


@dataclass(frozen=True, slots=True)
class Poisson:
    """Memoryless arrivals: a coefficient of variation of 1."""

    rate: float

    def times(self, duration_s: float, rng: Generator) -> Iterator[float]:
        """Exponential gaps."""
        return Gamma(self.rate, 1.0).times(duration_s, rng)


@dataclass(frozen=True, slots=True)
class Gamma:
    """Gamma-distributed gaps; `cv` is their coefficient of variation, above 1 for bursts."""

    rate: float
    cv: float

    def times(self, duration_s: float, rng: Generator) -> Iterator[float]:
        """Yield arrivals with gamma gaps of shape 1/cv² and mean 1/rate."""
        shape = self.cv**-2
        now = rng.gamma(shape, 1 / (self.rate * shape))
        while now < duration_s:
            yield now
            now += rng.gamma(shape, 1 / (self.rate * shape))


@dataclass(frozen=True, slots=True)
class Mmpp:
    """A Markov-modulated Poisson process of three states, scaled to a mean rate."""

    rate: float

    def times(self, duration_s: float, rng: Generator) -> Iterator[float]:
        """One state a second; Poisson arrivals at the state's rate within it."""
        mean = sum(r * share for r, share in zip(_MMPP_RATES, _MMPP_OCCUPANCY, strict=True))
        state, second = _pick(_MMPP_OCCUPANCY, rng), 0
        while second < duration_s:
            count = rng.poisson(_MMPP_RATES[state] / mean * self.rate)
            for time in sorted(second + rng.random(count)):
                if time < duration_s:
                    yield float(time)
            state = _pick(_MMPP_TRANSITIONS[state], rng)
            second += 1


@dataclass(frozen=True, slots=True)
class DayCurve:
    """A working day's shape pressed into the run: Poisson with a rate that follows the hours."""

    rate: float

    def times(self, duration_s: float, rng: Generator) -> Iterator[float]:
        """Thinning (Lewis and Shedler 1979) of a process at the peak rate."""
        mean, peak = sum(_WEEKDAY) / 24, max(_WEEKDAY)
        for time in Poisson(self.rate * peak / mean).times(duration_s, rng):
            if rng.random() * peak < _hourly(time / duration_s):
                yield time


@dataclass(frozen=True, slots=True)
class TraceTimes:
    """The very times of a trace, stretched so that its mean rate is `rate`."""

    recorded: tuple[float, ...]
    """Ascending, in seconds."""
    rate: float

    def times(self, duration_s: float, rng: Generator) -> Iterator[float]:
        """Yield the trace from its start; it ends early where the trace is shorter than the run."""
        first = self.recorded[0]
        span = self.recorded[-1] - first
        stretch = (len(self.recorded) - 1) / (self.rate * span) if span else 0.0
        for time in self.recorded:
            if (time - first) * stretch >= duration_s:
                return
            yield (time - first) * stretch


def _hourly(share_of_day: float) -> float:
    hour = share_of_day * 24
    before = int(hour) % 24
    part = hour - int(hour)
    return _WEEKDAY[before] * (1 - part) + _WEEKDAY[(before + 1) % 24] * part


def _pick(shares: tuple[float, ...], rng: Generator) -> int:
    at = rng.random() * sum(shares)
    for index, share in enumerate(shares):
        at -= share
        if at < 0:
            return index
    return len(shares) - 1
