"""How one budget is split over the stages of a workflow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.prediction.service import ServiceModel
from cato_backend.prediction.workflows import (
    LearnedTimes,
    PlannedCall,
    TimesByLaw,
    expected_s,
    stage_budget_s,
)
from cato_backend.profile_files.profile import EngineLimits, StepLaw
from cato_backend.wire.headers import Task

CALL = PlannedCall(Task.SUMMARIZATION, 500, 160)


class Times:
    """A call takes its prompt's tokens in milliseconds, up to twice that at the highest level."""

    def quantile_s(self, call: PlannedCall, q: float) -> float:
        return call.prompt_tokens * (1 + q) / 1e3


def calls(*milliseconds: int) -> list[PlannedCall]:
    return [PlannedCall(Task.SUMMARIZATION, each, 160) for each in milliseconds]


stages = st.lists(
    st.lists(st.integers(1, 5000), min_size=1, max_size=8).map(lambda ms: calls(*ms)),
    min_size=1,
    max_size=5,
)


@given(stages, st.floats(0.001, 100))
def test_every_stage_gets_a_share_and_the_last_one_all_that_is_left(
    path: list[list[PlannedCall]], remaining_s: float
) -> None:
    left = remaining_s
    for number in range(len(path)):
        share = stage_budget_s(path[number:], left, Times())
        assert 0 < share <= left + 1e-9
        left -= share
    assert left == pytest.approx(0, abs=1e-9)


@given(stages, st.floats(0.001, 50), st.floats(1.0, 4.0))
def test_more_time_is_never_a_smaller_share(
    path: list[list[PlannedCall]], remaining_s: float, factor: float
) -> None:
    less = stage_budget_s(path, remaining_s, Times())
    assert stage_budget_s(path, remaining_s * factor, Times()) >= less * 0.999


def test_a_long_stage_gets_more_than_a_short_one() -> None:
    budget = stage_budget_s([calls(3000), calls(1000)], 6.0, Times())
    assert budget == pytest.approx(4.5, rel=0.01)


def test_a_wide_stage_gets_more_than_a_narrow_one_of_the_same_calls() -> None:
    wide = stage_budget_s([calls(*[1000] * 8), calls(1000)], 3.2, Times())
    assert 1.6 < wide < 2.0


def test_what_is_observed_moves_the_times() -> None:
    times = LearnedTimes()
    before = times.quantile_s(CALL, 0.9)
    for _ in range(200):
        times.observe(CALL, tokens=150, ttft_s=1.0, e2e_s=16.0)
    assert times.quantile_s(CALL, 0.5) > before
    assert times.quantile_s(CALL, 0.5) == pytest.approx(1 + 149 * 15 / 149, rel=0.15)
    assert times.quantile_s(CALL, 0.5) <= times.quantile_s(CALL, 0.99)


def test_before_the_first_answer_the_law_of_an_idle_replica_tells() -> None:
    """A step takes 80 ms, and each prompt token 1 ms."""
    service = ServiceModel(StepLaw("additive", 0.08, per_new_token=0.001), EngineLimits())
    learned = LearnedTimes()
    times = TimesByLaw(learned, service, overhead_s=0.01)
    call = PlannedCall(Task.GENERATION, 200, 1024, expected_tokens=101)
    assert expected_s([[call]], times) == pytest.approx(0.01 + 0.28 + 100 * 0.081, rel=0.02)
    learned.observe(call, tokens=101, ttft_s=0.5, e2e_s=2.5)
    assert expected_s([[call]], times) == pytest.approx(2.5, rel=0.05)


@given(st.integers(1, 4000), st.integers(1, 2048), st.floats(0.5, 0.99))
def test_lengths_spread_about_what_is_expected(expected: int, most: int, q: float) -> None:
    call = PlannedCall(Task.GENERATION, 200, most, expected_tokens=expected)
    times = LearnedTimes()
    middle, tokens = times.quantile_tokens(call, 0.5), times.quantile_tokens(call, q)
    assert middle == min(expected, most)
    assert middle <= tokens <= most
