"""Forecasts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cato_backend.provisioning.demand import BIN_S, Demand, Forecast


def forecasts(rates: list[float], horizon_s: float = 30.0) -> list[Forecast]:
    """After each bin, where there is one."""
    demand, found = Demand(), []
    for number, rate in enumerate(rates):
        for part in range(round(rate * BIN_S)):
            demand.arrived((number + part / (rate * BIN_S)) * BIN_S)
        forecast = demand.forecast((number + 1) * BIN_S, horizon_s)
        if forecast is not None:
            found.append(forecast)
    return found


def test_first_minute_is_too_early() -> None:
    assert not forecasts([4.0] * 11)
    assert forecasts([4.0] * 12)


def test_even_traffic_goes_on() -> None:
    last = forecasts([4.0] * 60)[-1]
    assert last.now == pytest.approx(4.0)
    assert last.level == pytest.approx(4.0)
    assert last.peak == pytest.approx(4.0)


def test_a_clear_rise_goes_on_rising() -> None:
    last = forecasts([2 + 0.2 * n for n in range(60)])[-1]
    assert last.level > last.now


def test_bursts_stay_expected_when_they_are_over() -> None:
    burst = [1.0] * 20 + [20.0] * 4 + [1.0] * 12
    last = forecasts(burst * 3)[-1]
    assert last.now < 2
    assert last.peak > 10


def test_smooth_change_is_no_burst() -> None:
    last = forecasts([10 - 0.05 * n for n in range(100)])[-1]
    assert last.peak < 7.5


@given(st.lists(st.floats(0, 8), min_size=12, max_size=25))
@settings(max_examples=30)
def test_never_negative_and_bounded_by_what_was_seen(rates: list[float]) -> None:
    for forecast in forecasts(rates):
        assert forecast.level >= 0
        assert all(s.rate >= 0 and s.weight > 0 for block in forecast.blocks for s in block)
