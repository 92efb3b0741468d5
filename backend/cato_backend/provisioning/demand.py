"""Demand of the last minutes, and what it says of the next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import sqrt

BIN_S = 5.0
"""Short enough to see the bursts of code traffic, which last tens of seconds."""
MEMORY_S = 1800.0
_KEPT_PER_BIN = 0.5 ** (BIN_S / 300.0)
"""Weight of a bin against the one after it: half after five minutes."""
_NOW_BINS = 8
_PRIOR_PERSISTENCE = 0.8
_PRIOR_BINS = 24
"""How many bins the prior weighs as much as: two minutes."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A stretch of so many requests per second, as one of those that may come."""

    rate: float
    weight: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected at the horizon. Rates in requests per second."""

    now: float
    """Of the last 40 s."""
    level: float
    """Expected mean."""
    peak: float
    """The level of the highest tenth of the scenarios."""
    blocks: tuple[tuple[Scenario, ...], ...]
    """Scenarios by minute, so that their spread from minute to minute can be seen."""


class Demand:
    """Counts of arrivals by bin."""

    def __init__(self) -> None:
        self._bins: deque[int] = deque(maxlen=int(MEMORY_S / BIN_S))
        self._number: int | None = None
        self._count = 0
        self._expected: dict[int, float] = {}

    def arrived(self, now: float) -> None:
        """A request came."""
        self._turn(now)
        self._count += 1

    def forecast(self, now: float, horizon_s: float) -> Forecast | None:
        """For the time from now to the horizon and a little beyond; None before the first minute.

        The level is the mean of late, plus as much of the present deviation from it as used to
        persist over the horizon, or where a clear trend leads, if that is more. The scenarios are
        the level plus what earlier forecasts were wrong by: nothing where traffic is smooth,
        however it rises and falls, and whole bursts where it is not.
        """
        self._turn(now)
        rates = [count / BIN_S for count in self._bins]
        if len(rates) < 60 / BIN_S:
            return None
        lag = max(1, round(horizon_s / BIN_S))
        weights = [_KEPT_PER_BIN**age for age in range(len(rates))][::-1]
        mean = _weighted_mean(rates, weights)
        present = sum(rates[-_NOW_BINS:]) / _NOW_BINS
        level = max(0.0, mean + persistence(rates, lag) * (present - mean))
        level = max(level, _trend(rates, horizon_s))
        self._expect(lag, level)
        wrong = [
            rate - level_then for rate, level_then in zip(rates, self._levels(mean), strict=True)
        ]
        scenarios = [Scenario(max(0.0, level + w), k) for w, k in zip(wrong, weights, strict=True)]
        return Forecast(present, level, _peak(scenarios), _by_minute(scenarios))

    def _expect(self, lag: int, level: float) -> None:
        """Keeps the level for the bins that it was forecast for."""
        number = self._number or 0
        for bin_number in range(max(self._expected, default=number) + 1, number + lag + 1):
            self._expected[bin_number] = level
        oldest = number - len(self._bins)
        self._expected = {n: each for n, each in self._expected.items() if n >= oldest}

    def _levels(self, mean: float) -> list[float]:
        """What was forecast for each bin; the mean where nothing was."""
        oldest = (self._number or 0) - len(self._bins)
        return [self._expected.get(oldest + index, mean) for index in range(len(self._bins))]

    def _turn(self, now: float) -> None:
        """Closes the bins that ended before now."""
        number = int(now // BIN_S)
        if self._number is None:
            self._number = number
        gone = min(number - self._number, self._bins.maxlen or 0)
        for _ in range(gone):
            self._bins.append(self._count)
            self._count = 0
        self._number = max(self._number, number)


def persistence(rates: list[float], lag: int) -> float:
    """The share of a deviation from the mean (over 40 s) that is left `lag` bins later, 0..1.

    Autocorrelation of sliding means, with a prior for short histories.
    """
    smooth = _sliding(rates, _NOW_BINS)
    pairs = list(zip(smooth, smooth[lag + _NOW_BINS :], strict=False))
    mean = sum(smooth) / len(smooth)
    spread = sum((value - mean) ** 2 for value in smooth) / len(smooth)
    if not pairs or spread <= 0:
        return _PRIOR_PERSISTENCE
    together = sum((a - mean) * (b - mean) for a, b in pairs) / len(pairs)
    found = min(1.0, max(0.0, together / spread))
    return (_PRIOR_BINS * _PRIOR_PERSISTENCE + len(pairs) * found) / (_PRIOR_BINS + len(pairs))


def _trend(rates: list[float], horizon_s: float) -> float:
    """Where a straight line through the last five minutes leads; 0 if it is not clearly rising."""
    recent = rates[-int(300 / BIN_S) :]
    count = len(recent)
    middle, mean = (count - 1) / 2, sum(recent) / count
    across = sum((i - middle) ** 2 for i in range(count))
    slope = sum((i - middle) * rate for i, rate in enumerate(recent)) / across
    left = sum((rate - mean - slope * (i - middle)) ** 2 for i, rate in enumerate(recent))
    error = sqrt(left / max(1, count - 2) / across)
    if slope <= 3 * error:
        return 0.0
    return mean + slope * (middle + horizon_s / BIN_S)


def _sliding(values: list[float], width: int) -> list[float]:
    total = sum(values[:width])
    out = [total / width]
    for new, old in zip(values[width:], values, strict=False):
        total += new - old
        out.append(total / width)
    return out


def _weighted_mean(values: list[float], weights: list[float]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def _peak(scenarios: list[Scenario]) -> float:
    left = 0.1 * sum(each.weight for each in scenarios)
    for each in sorted(scenarios, key=lambda s: -s.rate):
        left -= each.weight
        if left <= 0:
            return each.rate
    return 0.0


def _by_minute(scenarios: list[Scenario]) -> tuple[tuple[Scenario, ...], ...]:
    size = int(60 / BIN_S)
    parts = (scenarios[max(0, end - size) : end] for end in range(len(scenarios), 0, -size))
    return tuple(tuple(part) for part in parts)
