"""A claim, its figure and its target, and the one rule for leads."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, isnan

from cato_lab.scoring.statistics import Interval, interval


class Verdict(StrEnum):
    """The column "met"; empty where a figure has no target and compares nothing."""

    MET = "met"
    MISSED = "**missed**"
    AHEAD = "ahead"
    LEVEL = "level"
    BEHIND = "**behind**"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of a figure, in the figure's unit. Either end may be open."""

    least: float | None = None
    most: float | None = None

    def verdict(self, value: float) -> Verdict:
        """Return whether `value` lies within the bounds."""
        above = self.least is None or value >= self.least
        below = self.most is None or value <= self.most
        return Verdict.MET if above and below else Verdict.MISSED

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        return f"≥ {self.least:g}" if self.most is None else f"≤ {self.most:g}"


@dataclass(frozen=True, slots=True)
class Claim:
    """One row: what was measured, the figure with its spread, the target, and the verdict."""

    statement: str
    figure: str
    target: str = ""
    verdict: Verdict = Verdict.NONE


def mean(
    statement: str,
    values: Sequence[float],
    unit: str = "",
    target: Target | None = None,
    digits: int = 1,
) -> Claim:
    """Return a claim on the mean of independent runs, with half of the 95% interval."""
    found = interval(values)
    return _judged(statement, _plus_minus(found, digits), found.mean, unit, target)


def middle(
    statement: str,
    values: Sequence[float],
    unit: str = "",
    target: Target | None = None,
    digits: int = 2,
) -> Claim:
    """Return a claim on the median of repeats, with the least and the most."""
    value = statistics.median(values)
    figure = f"{value:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
    return _judged(statement, figure, value, unit, target)


def single(
    statement: str, value: float, unit: str = "", target: Target | None = None, digits: int = 1
) -> Claim:
    """Return a claim on one reading, which has no spread."""
    return _judged(statement, f"{value:.{digits}f}", value, unit, target)


def lead(
    statement: str, ours: Mapping[int, float], others: Mapping[str, Mapping[int, float]]
) -> Claim:
    """Return our lead over the best of the others, in points, paired by seed.

    `ours` and each of `others` map a seed to a goodput (0 to 1). The best of the others is the one
    with the highest mean. We are ahead or behind where the 95% interval of the difference excludes
    zero, and level where it does not. A single seed has no interval: the sign decides.
    """
    best = max(others, key=lambda name: statistics.fmean(others[name].values()))
    seeds = sorted(ours.keys() & others[best].keys())
    found = interval([100 * (ours[seed] - others[best][seed]) for seed in seeds])
    figure = f"{_plus_minus(found, 1, '+')} points over {best}"
    return Claim(statement, figure, verdict=_sign(found))


def _sign(found: Interval) -> Verdict:
    half = 0.0 if isnan(found.half) else found.half
    if found.mean > half:
        return Verdict.AHEAD
    return Verdict.BEHIND if found.mean < -half else Verdict.LEVEL


def _plus_minus(found: Interval, digits: int, sign: str = "") -> str:
    half = f" ± {found.half:.{digits}f}" if isfinite(found.half) else ""
    return f"{found.mean:{sign}.{digits}f}{half}"


def _judged(statement: str, figure: str, value: float, unit: str, target: Target | None) -> Claim:
    text = f"{figure}{'' if unit in ('', '%') else ' '}{unit}"
    if target is None:
        return Claim(statement, text)
    return Claim(statement, text, str(target), target.verdict(value))
