"""Quantiles of each task's demand: calibrated, bounded, and never of what was not seen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from cato_backend.provisioning.demand import BIN_S
from cato_backend.provisioning.task_forecast import SHARES, ForecastSeries, TaskForecasts
from cato_backend.wire.headers import Task
from cato_lab.workloads.processes import Mmpp, Poisson

HORIZON_S = 60.0


def held(times: Sequence[float], duration_s: float) -> dict[float, float]:
    """How often each quantile held, once the first ten minutes are over."""
    series, told, place = ForecastSeries(), [], 0
    counts = [0] * (int(duration_s // BIN_S) + 1)
    for number in range(int(duration_s // BIN_S)):
        end = (number + 1) * BIN_S
        while place < len(times) and times[place] < end:
            series.arrived(times[place])
            counts[number] += 1
            place += 1
        found = series.at(end, HORIZON_S)
        if found is not None and end > 600:
            told.append((number + round(HORIZON_S / BIN_S), found.quantiles))
    pairs = [(q, counts[due] / BIN_S) for due, q in told if due < len(counts) - 1]
    return {
        share: sum((seen < q[share]) + (seen == q[share]) / 2 for q, seen in pairs) / len(pairs)
        for share in SHARES
    }


@pytest.mark.parametrize("process", [Poisson(4.0), Mmpp(4.0)])
def test_the_high_quantiles_hold_as_often_as_they_say(process: Poisson | Mmpp) -> None:
    """For even traffic and for that of Azure's trace, which is silent for minutes."""
    found = held(list(process.times(3600.0, default_rng(1))), 3600.0)
    assert found[0.9] == pytest.approx(0.9, abs=0.05)
    assert found[0.95] == pytest.approx(0.95, abs=0.03)


def test_each_task_has_a_forecast_of_its_own() -> None:
    tasks = TaskForecasts()
    for second in range(120):
        for part in range(4):
            tasks.arrived(Task.COMPLETION, second + part / 4)
        tasks.arrived(Task.GENERATION, second)
    found = tasks.at(120.0, 5.0)
    assert found[Task.COMPLETION].now == pytest.approx(4.0)
    assert found[Task.GENERATION].now == pytest.approx(1.0)
    assert Task.TRANSLATION not in found
    assert found[Task.COMPLETION].quantiles[0.5] == pytest.approx(4.0)


def test_nothing_is_told_before_the_first_minute() -> None:
    tasks = TaskForecasts()
    tasks.arrived(Task.COMPLETION, 0.0)
    assert not tasks.at(30.0, 5.0)


@given(st.lists(st.floats(0, 4000), min_size=1, max_size=60).map(sorted))
@settings(max_examples=30)
def test_any_arrivals_and_gaps_have_ordered_quantiles_above_zero(times: list[float]) -> None:
    series = ForecastSeries()
    for time in times:
        series.arrived(time)
    for later in (0.0, 60.0, 5000.0):
        found = series.at(times[-1] + later, HORIZON_S)
        if found is not None:
            told = [found.quantiles[share] for share in SHARES]
            assert told == sorted(told)
            assert told[0] >= 0


def test_a_clock_that_jumps_ends_nothing() -> None:
    series = ForecastSeries()
    for time in (0.0, 70.0, 1e9, 50.0, 1e9 + 5):
        series.arrived(time)
        series.at(time, HORIZON_S)
    found = series.at(1e9 + 60, HORIZON_S)
    assert found is not None
    assert found.quantiles[0.95] < 1
