"""The project's own rule."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from cato_backend.profile_files.profile import StepLaw
from cato_backend.provisioning import Bounds
from cato_backend.provisioning.rules.planned import Planned, PlannedSettings
from tests.fast.provisioning.traffic import PROFILE, Fleet


def fleet(**changed: float) -> Fleet:
    settings = replace(PlannedSettings(patience_s=40.0), **changed)
    return Fleet(Planned(PROFILE, settings), ready=2)


@pytest.fixture(scope="module")
def steady() -> Fleet:
    """One that has answered eight requests a second for 300 s, a plan each second."""
    site = fleet()
    site.serve(rate=8, seconds=300)
    return site


def test_nothing_moves_before_anything_is_known() -> None:
    assert set(fleet().serve(rate=2, seconds=20)) == {2}


def test_more_demand_more_replicas_and_fewer_only_after_patience() -> None:
    site = fleet()
    site.serve(rate=4, seconds=100)
    few = site.ready
    rising = site.serve(rate=20, seconds=90)
    many = site.ready
    assert many >= 2 * few
    assert rising == sorted(rising)
    falling = site.serve(rate=4, seconds=500)
    assert min(falling[:30]) > few
    assert falling[-1] < many


def test_even_demand_does_not_flap(steady: Fleet) -> None:
    targets = [plan.target for _, plan in steady.plans[100:]]
    changes = sum(a != b for a, b in pairwise(targets))
    assert changes <= 2


def test_every_plan_is_explained(steady: Fleet) -> None:
    _, plan = steady.plans[99]
    assert "8.0 now" in plan.why
    assert "requests/s are expected in 20 s" in plan.why
    assert re.search(r"; completion \d\.\d now, P95 \d+\.\d\)", plan.why)
    assert "keep the tightest class, completion at" in plan.why


def test_bounds_win_and_say_so() -> None:
    site = Fleet(Planned(PROFILE), Bounds(1, 2), ready=1)
    assert max(site.serve(rate=30, seconds=120)) == 2
    assert "the bounds say 2" in site.plans[-1][1].why


def test_worse_goodput_than_predicted_adds_replicas(steady: Fleet) -> None:
    bad = fleet()
    bad.serve(rate=8, seconds=200, ttft_s=0.4)
    _, good = steady.plans[199]
    assert bad.ready > good.target


def test_replicas_that_turn_out_slower_than_their_profile_are_more() -> None:
    """They are twice as slow; the profile is not measured with again."""
    site = fleet()
    site.serve(rate=8, seconds=150)
    before = site.ready
    law = PROFILE.law
    slower = StepLaw(law.form, 2 * law.base, per_new_token=2 * law.per_new_token)
    site.provisioner.learned(replace(PROFILE, law=slower))
    site.serve(rate=8, seconds=60)
    assert site.ready > before
