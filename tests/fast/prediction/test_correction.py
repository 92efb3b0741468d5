"""Online correction: finds what the law lacks, follows changes, shrugs at outliers."""

from __future__ import annotations

import random

import pytest

from cato_backend.prediction.correction import LinearCorrection
from cato_backend.prediction.replica import ReplicaPredictor
from cato_backend.prediction.service import ReplicaState, Work
from cato_backend.profile_files.law import StepLaw
from cato_backend.profile_files.profile import Profile


def taught(
    offset: float, scale: float, outliers: float = 0.0, count: int = 400
) -> LinearCorrection:
    rng, correction = random.Random(0), LinearCorrection()
    for _ in range(count):
        predicted = rng.uniform(0.02, 0.5)
        observed = (offset + scale * predicted) * rng.lognormvariate(0, 0.05)
        correction.observe(predicted, 10 * observed if rng.random() < outliers else observed)
    return correction


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (0.01, 1.3), (0.005, 0.7), (0.0, 2.5)])
@pytest.mark.parametrize("outliers", [0.0, 0.05])
def test_a_wrong_law_is_put_right(offset: float, scale: float, outliers: float) -> None:
    correction = taught(offset, scale, outliers)
    for predicted in (0.03, 0.1, 0.4):
        assert correction.apply(predicted) == pytest.approx(offset + scale * predicted, rel=0.12)


def test_a_replica_that_becomes_slower_is_followed_within_a_hundred_answers() -> None:
    correction = taught(0.0, 1.0)
    for _ in range(100):
        correction.observe(0.1, 0.2)
    assert correction.apply(0.1) == pytest.approx(0.2, rel=0.1)


def test_the_scale_stays_within_its_bounds() -> None:
    assert taught(0.0, 100.0).scale <= 5
    assert taught(0.0, 0.001).scale >= 0.2


def test_first_and_later_tokens_are_corrected_apart() -> None:
    law = StepLaw("additive", 0.02, per_new_token=1e-4)
    predictor = ReplicaPredictor(Profile("m", "h", law))
    state, work = ReplicaState(), Work(500, output=11)
    first_s, token_s = predictor.service.ttft_s(state, work), predictor.service.token_s(1, 500)
    for _ in range(200):
        predictor.observe_first(first_s, first_s + 0.015)
        predictor.observe_token(token_s, 2 * token_s)
    assert predictor.ttft_s(state, work) == pytest.approx(first_s + 0.015, rel=0.05)
    after = predictor.e2e_s(state, work) - predictor.ttft_s(state, work)
    assert after == pytest.approx(10 * 2 * token_s, rel=0.05)
    assert predictor.decode_s(state, 10) == pytest.approx(after, rel=0.01)


def test_a_law_that_is_far_too_fast_is_met_without_a_negative_constant() -> None:
    correction = LinearCorrection()
    for _ in range(80):
        correction.observe(0.12, 0.36)
    assert correction.offset_s >= 0
    assert correction.apply(0.12) == pytest.approx(0.36, rel=0.02)
