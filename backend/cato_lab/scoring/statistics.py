"""Statistics for scores: means, confidence intervals, shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, nan, sqrt
from statistics import fmean, stdev

from scipy.special import stdtrit

ONE_SIDED_Z = 1.645
"""Standard deviations beyond which 5% of a normal distribution lie, on one side."""


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


@dataclass(frozen=True, slots=True)
class Share:
    """The share of the counted requests of several runs that met their target.

    More are met than counted where the counted are those that another fleet met.
    """

    met: int
    counted: int
    low: float = nan
    """The share is above this, and below `high`, each with 95% confidence."""
    high: float = nan

    @property
    def mean(self) -> float:
        """Over all requests; NaN of none."""
        return self.met / self.counted if self.counted else nan


def share_of(runs: Sequence[tuple[int, int]]) -> Share:
    """Return the share over independent runs, each given as its met and counted requests.

    The bounds are the wider ones of two: of the ratio estimator over runs, whose requests are not
    independent of each other (Cochran, Sampling Techniques, 1977, chapter 6), and of Wilson's
    interval, because runs that met everything do not vary.
    """
    met, counted = (sum(values) for values in zip(*runs, strict=True)) if runs else (0, 0)
    if not counted:
        return Share(met, counted)
    mean = met / counted
    low, high = _wilson(min(1.0, mean), counted)
    half = 0.0
    if len(runs) > 1:
        squares = sum((some - mean * of) ** 2 for some, of in runs)
        spread = sqrt(squares * len(runs) / (len(runs) - 1)) / counted
        half = float(stdtrit(len(runs) - 1, 0.95)) * spread
    return Share(met, counted, min(low, mean - half), max(high, mean + half))


def _wilson(mean: float, counted: int) -> tuple[float, float]:
    centre = (mean + ONE_SIDED_Z**2 / (2 * counted)) / (1 + ONE_SIDED_Z**2 / counted)
    half = ONE_SIDED_Z * sqrt(mean * (1 - mean) / counted + (ONE_SIDED_Z / (2 * counted)) ** 2)
    half /= 1 + ONE_SIDED_Z**2 / counted
    return centre - half, centre + half
