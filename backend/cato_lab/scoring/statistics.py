"""The little statistics that scores need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, nan, sqrt
from statistics import fmean, stdev

from scipy.special import stdtrit


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95% confidence interval; a single value has none (NaN)."""

    mean: float
    low: float = nan
    high: float = nan

    @property
    def half(self) -> float:
        """Half the interval's width."""
        return (self.high - self.low) / 2


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile (share in 0..1), NaN of nothing.

    Nearest rank, because a request that was never answered counts as infinitely late: between a
    number and infinity nothing can be interpolated.
    """
    if not ascending:
        return nan
    return ascending[max(0, ceil(share * len(ascending)) - 1)]


def interval(values: Sequence[float]) -> Interval:
    """Student's t over independent runs. Infinite or missing values leave no interval."""
    if not values:
        return Interval(nan)
    mean = fmean(values)
    if len(values) < 2 or not -inf < mean < inf:
        return Interval(mean)
    half = float(stdtrit(len(values) - 1, 0.975)) * stdev(values) / sqrt(len(values))
    return Interval(mean, mean - half, mean + half)
