"""The arithmetic of the comparison of scaling rules."""

from __future__ import annotations

from math import isnan
from typing import Any

from bench.clairvoyant import BIN_S, Clairvoyant, Foresight, schedule
from bench.provisioning_report import frontier, static_peak, tables
from cato_backend.provisioning import FleetState

ONE_EACH = Foresight(per_replica=1.0, worth=4.0)


def row(goodput: float, replicas: float, peak: float = 0.0, rule: str = "static") -> dict[str, Any]:
    return {
        "workload": "w",
        "start_s": 1.0,
        "rule": rule,
        "setting": f"{replicas}",
        "goodput": goodput,
        "peak_goodput": peak,
        "mean_replicas": replicas,
        "utilization": 0.1,
        "moves": 1,
    }


def test_rules_are_compared_on_the_line_between_two_settings() -> None:
    rows = [row(0.90, 2.0), row(0.98, 4.0)]
    assert abs(frontier(rows, 0.94) - 3.0) < 1e-9
    assert isnan(frontier(rows, 0.99))


def test_the_static_peak_is_the_smallest_that_is_enough_when_it_is_busiest() -> None:
    rows = [row(0.95, 2.0, 0.7), row(0.98, 4.0, 0.95), row(0.99, 6.0, 0.99)]
    found = static_peak(rows, 0.95)
    assert found is not None
    assert found["mean_replicas"] == 4.0
    assert static_peak(rows, 0.999) is None


def test_the_table_tells_the_static_peak_from_the_static_fleet_in_hindsight() -> None:
    ours = [row(0.90, 1.0, rule="planned"), row(0.98, 2.0, rule="planned")]
    text = tables([row(0.90, 2.0, 0.5), row(0.98, 4.0, 0.95), *ours])
    assert "| planned / static in hindsight | 0.50 | 0.50 | 0.50 | 0.50 |" in text
    assert "| 95% | 4 | 98.0% | 2.00 | 0.50 | - | - |" in text


def test_what_fills_replicas_is_served_and_what_does_not_is_left() -> None:
    full = round(BIN_S)
    assert schedule([0, 3 * full, 3 * full, 0], 0.0, 8, ONE_EACH) == [1, 3, 3, 1]
    assert schedule([0, full + 1, 0], 0.0, 8, ONE_EACH) == [1, 1, 1]


def test_a_start_is_paid_for_and_so_a_short_gap_is_bridged() -> None:
    full = round(BIN_S)
    burst = [2 * full] * 8
    assert schedule([*burst, 0, *burst], 3.0, 8, ONE_EACH) == [2] * 17
    assert 1 in schedule([*burst, *[0] * 8, *burst], 3.0, 8, ONE_EACH)


def test_who_knows_launches_one_start_up_time_before() -> None:
    times = [100.0 + number / 4 for number in range(200)]
    rule = Clairvoyant(times, 20.0, 8, Foresight(per_replica=2.0, worth=4.0))
    wanted = [rule.wanted(FleetState(1), now).count for now in (70.0, 80.0, 140.0, 160.0)]
    assert wanted == [1, 2, 2, 1]
