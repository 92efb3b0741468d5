"""Lengths that are corrected by the time that clients allow."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.scheduling.policies.cato.lengths import BudgetCorrection

ESTIMATE = math.log(150)


def seen(answers: int, *, told: bool) -> BudgetCorrection:
    """After answers whose clients allow 2 s and 30 ms a token (`told`), or always 15 s."""
    correction, random = BudgetCorrection(), Random(1)
    for _ in range(answers):
        tokens = round(random.lognormvariate(math.log(100), 0.8)) + 1
        budget_s = 2 + 0.03 * tokens if told else 15.0
        correction.observe(ESTIMATE, budget_s, tokens, finished=True)
    return correction


def test_an_estimate_counts_before_any_answer() -> None:
    mu, sigma = BudgetCorrection().corrected(ESTIMATE, 15.0)
    assert mu == ESTIMATE
    assert sigma >= 0.5


def test_budgets_that_follow_the_length_tell_it() -> None:
    correction = seen(40, told=True)
    for tokens in (40, 100, 300):
        mu, sigma = correction.corrected(ESTIMATE, 2 + 0.03 * tokens)
        assert math.exp(mu) == pytest.approx(tokens, rel=0.35)
        assert sigma < 0.4


def test_budgets_that_are_all_alike_correct_the_bias_alone() -> None:
    correction = seen(2000, told=False)
    mu, sigma = correction.corrected(ESTIMATE, 15.0)
    assert math.exp(mu) == pytest.approx(100, rel=0.25)
    assert sigma == pytest.approx(0.8, abs=0.15)
    # What was never seen to vary is still unknown, and not unknown without bound.
    other, wider = correction.corrected(ESTIMATE, 30.0)
    assert abs(other - mu) < 1.0
    assert sigma < wider < 3 * sigma


@pytest.mark.parametrize("budget_s", [3.0, 8.0, 15.0])
def test_budgets_that_are_all_alike_do_not_end_the_forgetting(budget_s: float) -> None:
    correction, random = BudgetCorrection(), Random(1)

    def answer(median: float) -> None:
        tokens = max(1, round(random.lognormvariate(math.log(median), 0.4)))
        correction.observe(ESTIMATE + random.gauss(0, 0.3), budget_s, tokens, finished=True)

    for _ in range(5000):
        answer(60)
    for _ in range(500):
        answer(120)
    found, _ = correction.corrected(ESTIMATE, budget_s)
    assert math.exp(found) == pytest.approx(120, rel=0.25)


@pytest.mark.parametrize(("budget_s", "count"), [(0.001, 20), (0.3, 1), (3600.0, 1)])
def test_budgets_far_from_all_others_do_not_undo_what_is_known(budget_s: float, count: int) -> None:
    correction = seen(500, told=True)
    for _ in range(count):
        correction.observe(ESTIMATE, budget_s, 150, finished=True)
    for tokens in (100, 300):
        found, sigma = correction.corrected(ESTIMATE, 2 + 0.03 * tokens)
        assert math.exp(found) == pytest.approx(tokens, rel=0.35)
        assert sigma < 1.0


def test_an_answer_that_was_cut_off_tells_only_that_it_was_longer() -> None:
    correction = BudgetCorrection()
    correction.observe(ESTIMATE, 15.0, 20, finished=False)
    assert correction.corrected(ESTIMATE, 15.0)[0] == ESTIMATE
    correction.observe(ESTIMATE, 15.0, 600, finished=False)
    assert correction.corrected(ESTIMATE, 15.0)[0] > ESTIMATE


@given(
    st.lists(
        st.tuples(st.floats(0, 10), st.floats(0, 1e6), st.integers(0, 10**6), st.booleans()),
        max_size=200,
    )
)
def test_whatever_comes_the_belief_is_finite(
    answers: list[tuple[float, float, int, bool]],
) -> None:
    correction = BudgetCorrection()
    for mu, budget_s, tokens, finished in answers:
        correction.observe(mu, budget_s, tokens, finished=finished)
        found, sigma = correction.corrected(mu, budget_s)
        assert math.isfinite(found)
        assert 0 <= sigma < 100
