"""Whose memory another replica may take: by the goodput that a GB and second brings."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.provisioning.worth import (
    HORIZON_S,
    MARGIN,
    ClassDemand,
    Holding,
    Shortage,
    choose_evicted,
    density,
    gained_value,
    kept_value,
)

GB = 1_000_000_000
DEMANDS = st.builds(
    ClassDemand,
    rate=st.floats(0, 20),
    budget_s=st.floats(0.1, 60),
    service_s=st.floats(0, 30),
    waiting=st.integers(0, 20),
)
HOLDINGS = st.builds(
    Holding,
    replica_id=st.text("abcdef", min_size=1, max_size=4),
    bytes_held=st.integers(1, 80).map(lambda gb: gb * GB),
    return_s=st.floats(0, 120),
    demands=st.lists(DEMANDS, max_size=3).map(tuple),
)
RESIDENTS = st.lists(HOLDINGS, max_size=6, unique_by=lambda each: each.replica_id)


def completion(rate: float) -> ClassDemand:
    return ClassDemand(rate, budget_s=0.25, service_s=0.1)


def holding(name: str, *demands: ClassDemand, gb: int = 40, return_s: float = 2.0) -> Holding:
    return Holding(name, gb * GB, return_s, demands)


@given(RESIDENTS, st.integers(1, 200), HOLDINGS)
def test_who_goes_frees_enough_and_none_goes_without_need(
    residents: list[Holding], lacking_gb: int, claimant: Holding
) -> None:
    lacking = lacking_gb * GB
    gone = choose_evicted([Shortage(lacking, residents)], claimant)
    evicted = [each for each in residents if each.replica_id in gone]
    freed = sum(each.bytes_held for each in evicted)
    assert not gone or freed >= lacking
    assert all(freed - each.bytes_held < lacking for each in evicted)
    horizon_s = HORIZON_S + claimant.return_s
    lost = sum(kept_value(each, horizon_s) for each in evicted)
    assert not gone or gained_value(claimant, horizon_s) > MARGIN * lost


@given(RESIDENTS, st.integers(1, 200), HOLDINGS, st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_told_does_not_matter(
    residents: list[Holding], lacking_gb: int, claimant: Holding, random: Random
) -> None:
    shuffled = residents.copy()
    random.shuffle(shuffled)
    first = choose_evicted([Shortage(lacking_gb * GB, residents)], claimant)
    assert set(first) == set(choose_evicted([Shortage(lacking_gb * GB, shuffled)], claimant))


@given(RESIDENTS, st.integers(1, 200))
def test_who_is_not_asked_for_takes_nothing(residents: list[Holding], lacking_gb: int) -> None:
    assert choose_evicted([Shortage(lacking_gb * GB, residents)], holding("new")) == ()


def test_a_first_load_takes_what_is_idle_and_nothing_else() -> None:
    """A model that can sleep afterwards is loaded before it is asked for."""
    first = replace(holding("new", return_s=60), is_first=True)
    idle, busy = holding("idle"), holding("busy", completion(0.1))
    assert choose_evicted([Shortage(40 * GB, [idle, busy])], first) == ("idle",)
    assert choose_evicted([Shortage(40 * GB, [busy])], first) == ()


def test_a_load_that_takes_longer_than_the_comparison_is_worth_what_comes_after_it() -> None:
    slow = holding("new", completion(5.0), return_s=300)
    resident = holding("idle", completion(0.01))
    assert choose_evicted([Shortage(40 * GB, [resident])], slow) == ("idle",)


@given(HOLDINGS, DEMANDS)
def test_more_demand_is_never_worth_less(one: Holding, more: ClassDemand) -> None:
    richer = replace(one, demands=(*one.demands, more))
    assert gained_value(richer) >= gained_value(one)
    if not one.return_s:
        assert kept_value(richer) >= kept_value(one)


@given(HOLDINGS, st.floats(0, 60))
def test_a_longer_return_makes_it_dearer_to_leave_and_cheaper_to_refuse(
    one: Holding, more_s: float
) -> None:
    slower = replace(one, return_s=one.return_s + more_s)
    assert kept_value(slower) >= kept_value(one) - 1e-9
    assert gained_value(slower) <= gained_value(one) + 1e-9


@pytest.mark.parametrize(
    ("stays", "goes"),
    [
        (holding("busy", completion(5.0)), holding("idle", completion(0.1))),
        (
            holding("urgent", completion(0.5), return_s=10),
            holding("patient", ClassDemand(0.5, budget_s=120, service_s=5), return_s=10),
        ),
        (
            holding("long", ClassDemand(0.5, budget_s=15, service_s=12), return_s=10),
            holding("short", ClassDemand(0.5, budget_s=15, service_s=1), return_s=10),
        ),
        (
            holding("slow", completion(0.5), return_s=60),
            holding("quick", completion(0.5), return_s=1),
        ),
        (
            holding("small", completion(1.0), gb=20),
            holding("large", completion(1.0), gb=60),
        ),
    ],
)
def test_demand_latency_class_length_load_time_and_size_all_count(
    stays: Holding, goes: Holding
) -> None:
    assert density(stays) > density(goes)
    claimant = holding("new", completion(50.0))
    found = choose_evicted([Shortage(20 * GB, [stays, goes])], claimant)
    assert found == (goes.replica_id,)
