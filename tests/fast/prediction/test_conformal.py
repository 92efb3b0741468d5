"""Bounds hold as often as they say, whatever the residuals are."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from cato_backend.prediction.online import Conformal


def run(ratio_of: Callable[[random.Random, int], float], count: int = 3000) -> Conformal:
    rng, conformal = random.Random(1), Conformal(0.9)
    for number in range(count):
        predicted = rng.uniform(0.05, 2.0)
        observed = predicted * ratio_of(rng, number)
        conformal.observe(predicted, conformal.bound(predicted), observed)
    return conformal


def plain(rng: random.Random, _: int) -> float:
    return rng.lognormvariate(0, 0.2)


def wide_and_biased(rng: random.Random, _: int) -> float:
    return rng.lognormvariate(-1, 1.0)


def rare_and_far(rng: random.Random, _: int) -> float:
    return 1.0 + 9.0 * (rng.random() < 0.05)


def jump(rng: random.Random, number: int) -> float:
    return rng.lognormvariate(0, 0.1) * (3.0 if number > 1500 else 1.0)


def drift(rng: random.Random, number: int) -> float:
    return rng.lognormvariate(0, 0.1) * (1 + number / 1500)


@pytest.mark.parametrize("ratio_of", [plain, wide_and_biased, rare_and_far, jump, drift])
def test_the_coverage_is_what_was_asked_for(
    ratio_of: Callable[[random.Random, int], float],
) -> None:
    conformal = run(ratio_of)
    assert conformal.total_coverage == pytest.approx(0.9, abs=0.06)
    assert conformal.count == 3000


def test_the_bound_is_no_wider_than_it_must_be() -> None:
    conformal = run(plain)
    assert conformal.bound(1.0) == pytest.approx(1.29, abs=0.15)  # exp(1.2816 x 0.2)


def test_before_it_knows_much_it_is_careful_and_says_nothing_of_coverage() -> None:
    conformal = Conformal()
    assert conformal.bound(1.0) == 1.5
    assert conformal.total_coverage is None
    assert conformal.coverage == 0.9


def test_the_recent_coverage_shows_a_replica_that_has_just_changed() -> None:
    conformal = run(plain)
    steady = conformal.coverage
    for _ in range(30):
        conformal.observe(1.0, conformal.bound(1.0), 50.0 + conformal.bound(1.0))
    assert conformal.coverage < steady - 0.1
