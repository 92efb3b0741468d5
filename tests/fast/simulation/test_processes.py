"""Arrival processes: rates, burstiness, order, and the same times for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from cato_lab.workloads import (
    ArrivalProcess,
    DayCurve,
    Gamma,
    Mmpp,
    Poisson,
    TraceTimes,
)

_RECORDED = TraceTimes(tuple(0.1 * i + (i % 7) * 0.01 for i in range(20_001)), rate=20.0)
_PROCESSES = [Poisson(20.0), Gamma(20.0, 2.0), Gamma(20.0, 0.5), DayCurve(20.0), _RECORDED]


def _times(process: ArrivalProcess, duration_s: float, seed: int = 1) -> list[float]:
    return list(process.times(duration_s, np.random.default_rng(seed)))


def _cv(times: Sequence[float]) -> float:
    gaps = [after - before for before, after in pairwise(times)]
    return float(np.std(gaps) / np.mean(gaps))


@pytest.mark.parametrize("process", [*_PROCESSES, Mmpp(20.0)], ids=lambda p: type(p).__name__)
def test_times_ascend_within_the_run_and_repeat(process: ArrivalProcess) -> None:
    times = _times(process, 60.0)
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 60.0
    assert times == _times(process, 60.0)


@pytest.mark.parametrize("process", _PROCESSES, ids=lambda p: type(p).__name__)
def test_the_mean_rate_is_the_one_asked_for(process: ArrivalProcess) -> None:
    assert len(_times(process, 800.0)) / 800 == pytest.approx(20, rel=0.08)


def test_the_mmpp_has_its_rate_in_the_long_run() -> None:
    assert len(_times(Mmpp(5.0), 10_000.0)) / 10_000 == pytest.approx(5, rel=0.15)


@pytest.mark.parametrize("cv", [0.5, 1.0, 2.0, 5.0])
def test_gamma_gaps_vary_as_asked(cv: float) -> None:
    assert _cv(_times(Gamma(20.0, cv), 2000.0)) == pytest.approx(cv, rel=0.1)


def test_the_mmpp_comes_in_bursts() -> None:
    assert _cv(_times(Mmpp(5.0), 3000.0)) > 3


def test_a_day_has_its_peak_in_the_evening_and_its_valley_in_the_morning() -> None:
    times = np.array(_times(DayCurve(20.0), 2400.0))
    hours = np.histogram(times, bins=24, range=(0, 2400))[0]
    assert hours.argmax() in (18, 19)
    assert hours[9] < hours[18] / 5
