"""Demand of the last minutes, and a forecast of the next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import exp, sqrt

BIN_S = 5.0
"""Short enough to see the bursts of code traffic, which last tens of seconds."""
MEMORY_S = 1800.0
_KEPT_PER_BIN = 0.5 ** (BIN_S / 900.0)
"""Weight of a bin against the one after it: half after a quarter of an hour."""
_NOW_BINS = 6
_ELSEWHERE = 0.05
"""Weight of what followed on quite other demand."""
_AS_NOW_BINS = 6.0
"""How many bins the assumption weighs as much as that demand stays as it is."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A possible demand: requests per second over a period."""

    rate: float
    weight: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected demand at the horizon. Rates in requests per second."""

    now: float
    """The value of the last half minute."""
    level: float
    """The mean of the scenarios."""
    peak: float
    """The least of the highest tenth of the scenarios."""
    last: float
    """The value of the last bin."""
    blocks: tuple[tuple[Scenario, ...], ...]
    """Scenarios by minute, so that their spread from minute to minute can be seen."""


class Demand:
    """Counts of arrivals by bin."""

    def __init__(self) -> None:
        self._bins: deque[int] = deque(maxlen=int(MEMORY_S / BIN_S))
        self._number: int | None = None
        self._count = 0

    def arrived(self, now: float) -> None:
        """Record the arrival of a request."""
        self._turn(now)
        self._count += 1

    def rate_at(self, time: float) -> float | None:
        """Return the requests per second in the bin of this time.

        None where the bin is not over as of the last call, or was forgotten.
        """
        if self._number is None:
            return None
        place = len(self._bins) - (self._number - int(time // BIN_S))
        return self._bins[place] / BIN_S if 0 <= place < len(self._bins) else None

    def forecast(self, now: float, horizon_s: float) -> Forecast | None:
        """For the time from now to the horizon and a little beyond; None before the first minute.

        The scenarios are what followed, one horizon later, on demand like the present one, the
        recent past weighing more; and that it stays as it is, or goes where a clear trend leads,
        which decides where nothing like the present was seen before. So smooth traffic is followed
        and bursts are expected as often as they come, on whatever they come after.
        """
        self._turn(now)
        rates = [count / BIN_S for count in self._bins]
        if len(rates) < 60 / BIN_S:
            return None
        means = _trailing_means(rates, _NOW_BINS)
        lag = max(1, round(horizon_s / BIN_S))
        followed = _followed(rates, means, lag)
        ahead = max(means[-1], _trend(rates, horizon_s))
        stays = (Scenario(ahead, _AS_NOW_BINS),)
        scenarios = [*followed, *stays]
        total = sum(each.weight for each in scenarios)
        level = sum(each.rate * each.weight for each in scenarios) / total
        blocks = (stays, *_by_minute(followed))
        return Forecast(means[-1], level, _peak(scenarios), rates[-1], blocks)

    def _turn(self, now: float) -> None:
        """Close the bins that ended before now."""
        number = int(now // BIN_S)
        if self._number is None:
            self._number = number
        gone = min(number - self._number, self._bins.maxlen or 0)
        for _ in range(gone):
            self._bins.append(self._count)
            self._count = 0
        self._number = max(self._number, number)


def _followed(rates: list[float], means: list[float], lag: int) -> list[Scenario]:
    """Return each bin as a scenario, weighted by its age and its likeness to now.

    Likeness is that of the demand `lag` bins before. Each is moved by the rest of the difference,
    so that a rise continues where it is.
    """
    present, found = means[-1], list[Scenario]()
    width = max(0.25 * present, sqrt(max(present, 0.2) / (_NOW_BINS * BIN_S)))
    for place in range(lag, len(rates)):
        apart = present - means[place - lag]
        alike = exp(-((apart / width) ** 2) / 2)
        weight = (_ELSEWHERE + (1 - _ELSEWHERE) * alike) * _KEPT_PER_BIN ** (len(rates) - 1 - place)
        found.append(Scenario(max(0.0, rates[place] + alike * apart), weight))
    return found


def _trend(rates: list[float], horizon_s: float) -> float:
    """Return where a straight line through the last five minutes leads.

    0 if it is not clearly rising.
    """
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


def _trailing_means(values: list[float], width: int) -> list[float]:
    """Return the mean of each value and of those before it, `width` values at most."""
    out: list[float] = []
    total = 0.0
    for place, value in enumerate(values):
        total += value - (values[place - width] if place >= width else 0.0)
        out.append(max(0.0, total) / min(place + 1, width))
    return out


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
