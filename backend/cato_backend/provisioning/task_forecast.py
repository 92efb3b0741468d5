"""Demand of each task at a horizon, as quantiles that are corrected by how often they held."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from cato_backend.provisioning.demand import BIN_S, Demand, Forecast, Scenario
from cato_backend.wire.headers import Task

SHARES = (0.1, 0.5, 0.9, 0.95)
"""The quantiles that are told."""
_NOISE = tuple(NormalDist().inv_cdf(share) for share in (0.1, 0.3, 0.5, 0.7, 0.9))
"""Counts around a mean, as parts of the same weight, in standard deviations."""
_GAIN = 0.01
"""Change of a level after one outcome."""
_FARTHEST = 0.5
"""A level moves at most by this part of the way to its nearer end, 0 or 1."""


@dataclass(frozen=True, slots=True)
class TaskForecast:
    """Requests per second of one task, in a bin at the horizon."""

    now: float
    """The value of the last half minute."""
    quantiles: Mapping[float, float]
    """By share."""


class TaskForecasts:
    """One forecast for each task that was ever asked for. Times in seconds."""

    def __init__(self) -> None:
        self._series: dict[Task, ForecastSeries] = {}

    def arrived(self, task: Task, now: float) -> None:
        """Record a request."""
        self._series.setdefault(task, ForecastSeries()).arrived(now)

    def at(self, now: float, horizon_s: float) -> Mapping[Task, TaskForecast]:
        """Return what is to be expected; without the tasks of which too little was seen."""
        found = {task: series.at(now, horizon_s) for task, series in self._series.items()}
        return {task: forecast for task, forecast in found.items() if forecast is not None}


class ForecastSeries:
    """The arrivals of one task."""

    def __init__(self) -> None:
        self._demand = Demand()
        self._levels = {share: share for share in SHARES}
        """The quantile of the scenarios that has held as often as the share says."""
        self._made: deque[tuple[float, Mapping[float, float]]] = deque()
        """Forecasts whose bin is not over: when it begins, and the quantiles."""

    def arrived(self, now: float) -> None:
        """Record a request."""
        self._demand.arrived(now)

    def at(self, now: float, horizon_s: float) -> TaskForecast | None:
        """Return the quantiles of the rate at the horizon; None before the first minute."""
        forecast = self._demand.forecast(now, horizon_s)
        if forecast is None:
            return None
        self._learn(now)
        scenarios = sorted(_spread(forecast), key=lambda each: each.rate)
        levels = [self._levels[share] for share in SHARES]
        found = dict(zip(SHARES, _quantiles(scenarios, levels), strict=True))
        begins = (now // BIN_S - 1 + max(1, round(horizon_s / BIN_S))) * BIN_S
        self._made.append((begins, found))
        return TaskForecast(forecast.now, found)

    def _learn(self, now: float) -> None:
        """Correct the levels by the forecasts whose bins are over (adaptive conformal inference).

        A quantile that is met exactly held by half: counts are often equal.
        """
        while self._made and self._made[0][0] + BIN_S <= now:
            begins, quantiles = self._made.popleft()
            seen = self._demand.rate_at(begins)
            if seen is None:
                continue
            for share, told in quantiles.items():
                held = 1.0 if seen < told else 0.5 if seen == told else 0.0
                moved = self._levels[share] + _GAIN * (share - held)
                room = _FARTHEST * min(share, 1 - share)
                self._levels[share] = min(share + room, max(share - room, moved))


def _spread(forecast: Forecast) -> list[Scenario]:
    """Return the scenarios. What was seen has its chance in it; what is assumed gets it here."""
    assumed, *followed = forecast.blocks
    found = [each for block in followed for each in block]
    for each in assumed:
        width = sqrt(each.rate / BIN_S)
        rates = (max(0.0, each.rate + width * noise) for noise in _NOISE)
        found += [Scenario(rate, each.weight / len(_NOISE)) for rate in rates]
    return found


def _quantiles(ascending: Sequence[Scenario], levels: Sequence[float]) -> list[float]:
    """Return the rates that the given shares of the weight do not exceed; levels ascend or not."""
    total = sum(each.weight for each in ascending)
    return [_quantile(ascending, level * total) for level in levels]


def _quantile(ascending: Sequence[Scenario], weight: float) -> float:
    for each in ascending:
        weight -= each.weight
        if weight <= 0:
            return each.rate
    return ascending[-1].rate
