"""The scores of forecasts: who knows what comes loses least, and chance is counted fairly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.forecast import HORIZONS_S, Series, Told, last_value, rates_of, scored, seasonal
from cato_backend.provisioning.demand import BIN_S
from cato_backend.provisioning.task_forecast import SHARES

PERIOD_S = 600.0
BUSY = [number * 0.1 for number in range(3000)]
DAYS = Series([time + day * PERIOD_S for day in range(4) for time in BUSY], 4 * PERIOD_S, PERIOD_S)
"""Ten requests a second for five minutes, then none for five."""


def knowing(series: Series, horizon_s: float) -> Iterator[Told | None]:
    rates, ahead = rates_of(series), round(horizon_s / BIN_S)
    for number in range(len(rates)):
        comes = rates[number + ahead] if number + ahead < len(rates) else 0.0
        yield dict.fromkeys(SHARES, comes)


def test_who_knows_what_comes_has_no_loss_and_who_knows_the_period_little() -> None:
    known = scored(DAYS, 120.0, knowing)
    periodic = scored(DAYS, 120.0, seasonal)
    last = scored(DAYS, 120.0, last_value)
    assert known is not None
    assert periodic is not None
    assert last is not None
    assert known["loss"] == 0.0
    assert known["held"] == dict.fromkeys(map(str, SHARES), 0.5)
    assert periodic["loss"] < 0.5 * last["loss"]


@pytest.mark.parametrize("horizon_s", HORIZONS_S)
def test_without_a_period_nothing_seasonal_is_told(horizon_s: float) -> None:
    assert scored(Series(BUSY, 300.0), horizon_s, seasonal) is None
