"""Capacity curves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.provisioning.capacity import CapacityCurve, measure, outlook
from cato_backend.provisioning.demand import Forecast, Scenario
from cato_backend.provisioning.pool import DemandKind
from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from tests.fast.provisioning.traffic import PROFILE

KINDS = [
    DemandKind(Task.COMPLETION, 1000, 10, Target(ttft_s=0.25)),
    DemandKind(Task.COMPLETION, 300, 20, Target(ttft_s=0.25)),
    DemandKind(Task.SUMMARIZATION, 500, 60, Target(e2e_s=3.0)),
]


def curve(profile: Profile, kinds: list[DemandKind]) -> CapacityCurve:
    *slices, last = measure(profile, kinds, requests=400)
    assert slices == [None] * 18
    assert last is not None
    return last


def test_goodput_falls_with_load() -> None:
    found = curve(PROFILE, KINDS)
    for shares in found.goodput.values():
        assert list(shares) == sorted(shares, reverse=True)
        assert shares[0] > 0.9
        assert shares[-1] < 0.8


def test_a_faster_replica_carries_more() -> None:
    fast = replace(PROFILE, law=StepLaw("additive", base=0.005, per_new_token=0.00003))
    slow_curve, fast_curve = curve(PROFILE, KINDS), curve(fast, KINDS)
    assert fast_curve.at(8.0)[Task.COMPLETION] > slow_curve.at(8.0)[Task.COMPLETION]


def test_requests_whose_clients_left_do_not_count() -> None:
    typed = [replace(kind, left_s=0.05) for kind in KINDS[:2]]
    found = curve(PROFILE, [*typed, KINDS[2]])
    assert set(found.goodput) == {Task.SUMMARIZATION}


def test_beyond_the_last_load_it_falls_on() -> None:
    found = CapacityCurve((1.0, 2.0), {Task.COMPLETION: (1.0, 0.5)}, {Task.COMPLETION: 100})
    assert found.at(0.5)[Task.COMPLETION] == 1.0
    assert found.at(1.5)[Task.COMPLETION] == pytest.approx(0.75)
    assert found.at(4.0)[Task.COMPLETION] == pytest.approx(0.25)


def test_goals_are_shares_of_what_is_in_reach() -> None:
    found = CapacityCurve((1.0,), {Task.TRANSLATION: (0.8,)}, {Task.TRANSLATION: 10_000})
    assert found.goals(0.95)[Task.TRANSLATION] == pytest.approx(0.76, abs=0.01)


def test_a_law_that_is_not_sure_leaves_less_to_count_on() -> None:
    """Near the knee; far below it a slower replica would be enough as well."""
    knee = CapacityCurve(
        (1.0, 4.0, 6.0), {Task.COMPLETION: (1.0, 1.0, 0.5)}, {Task.COMPLETION: 100}
    )

    def at(rate: float, spread: float) -> float:
        forecast = Forecast(rate, rate, rate, rate, ((Scenario(rate, 1.0),),))
        return outlook(knee, forecast, 1.0, 0.5, spread)[Task.COMPLETION]

    assert at(4.0, 0.0) == 1.0
    assert at(4.0, 0.25) == pytest.approx(1.0 - 0.5 * 0.25)
    assert at(4.0, 0.5) < at(4.0, 0.25)
    assert at(2.0, 0.5) == 1.0
