"""What so many replicas would make of a forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from cato_backend.provisioning.capacity import CapacityCurve
from cato_backend.provisioning.demand import Forecast, Scenario
from cato_backend.wire.headers import Task


def outlook(
    curve: CapacityCurve, forecast: Forecast, capacity: float, errors: float
) -> Mapping[Task, float]:
    """Goodput of each task with `capacity` replicas: over all scenarios, each weighing as much as
    it has requests, less so many standard errors of its change from minute to minute."""
    minutes = [_minute(curve, block, capacity) for block in forecast.blocks]
    total = sum(requests for requests, _ in minutes)
    if total <= 0:
        return dict.fromkeys(curve.goodput, 1.0)
    return {
        task: _lower([(requests / total, found[task]) for requests, found in minutes], errors)
        for task in curve.goodput
    }


def _minute(
    curve: CapacityCurve, block: Sequence[Scenario], capacity: float
) -> tuple[float, Mapping[Task, float]]:
    """Requests of the minute, and the goodput of each task in it."""
    requests = sum(each.rate * each.weight for each in block)
    if requests <= 0:
        return 0.0, dict.fromkeys(curve.goodput, 1.0)
    found = [(each.rate * each.weight, curve.at(each.rate / capacity)) for each in block]
    means = {task: sum(r * g[task] for r, g in found) / requests for task in curve.goodput}
    return requests, means


def _lower(minutes: Sequence[tuple[float, float]], errors: float) -> float:
    """Weighted mean of (share, value) less so many standard errors."""
    mean = sum(share * value for share, value in minutes)
    error = sqrt(sum((share * (value - mean)) ** 2 for share, value in minutes))
    return mean - errors * error
