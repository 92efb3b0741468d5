"""What is measured, and what is made of the readings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.errors import EngineError
from cato_backend.profile_files.profile import EngineLimits
from cato_backend.profiling.campaign import CampaignProgress, summarised
from cato_backend.profiling.cells import Cell, plan
from cato_backend.profiling.measure import Reading

DECODE = Cell("decode", 4, 4, 2000, 0, held_out=False)
PREFILL = Cell("prefill", 260, 5, 2300, 32_768, held_out=False)


def noisy(rng: random.Random, seconds: float) -> float:
    """Disturbances only ever add; some readings are nothing, when all of their
    tokens came at once."""
    if rng.random() < 0.1:
        return 0.0
    return seconds * (1 + 0.01 * rng.random()) + (rng.random() < 0.4) * rng.expovariate(20)


def test_a_sample_is_free_of_disturbances_and_of_the_steps_beside_it() -> None:
    rng = random.Random(4)
    rounds = [
        [
            Reading(DECODE, noisy(rng, 0.005)),
            Reading(PREFILL, noisy(rng, 0.030 + 2 * 0.005), beside=2),
        ]
        for _ in range(21)
    ]
    campaign = summarised([rounds])
    decode, prefill = campaign.samples
    assert decode.seconds == pytest.approx(0.005, rel=0.03)
    assert prefill.seconds == pytest.approx(0.030, rel=0.05)
    assert campaign.spread_percent > 10


def test_a_sample_is_the_middle_of_what_was_read() -> None:
    times = [0.010, 0.011, 0.012, 0.013, 0.020]
    campaign = summarised([[[Reading(DECODE, seconds)] for seconds in times]])
    assert campaign.samples[0].seconds == 0.012


def test_where_nothing_could_be_read_the_machine_is_too_busy() -> None:
    with pytest.raises(EngineError, match="too busy"):
        summarised([[[Reading(DECODE, 0.0)]] * 5])


def test_a_replica_that_always_takes_the_same_has_no_spread() -> None:
    campaign = summarised([[[Reading(DECODE, 0.01)]] * 5])
    assert campaign.spread_percent == 0
    assert campaign.samples[0].cell == DECODE


@given(
    st.builds(
        EngineLimits,
        max_num_seqs=st.integers(1, 1024),
        max_num_batched_tokens=st.integers(64, 16_384),
        kv_tokens=st.integers(2048, 2_000_000),
        block_size=st.sampled_from([16, 128]),
        max_model_len=st.integers(64, 131_072),
        long_prefill_token_threshold=st.just(0) | st.integers(1, 64),
    ),
    st.booleans(),
)
def test_no_step_of_the_plan_is_more_than_the_engine_allows(
    limits: EngineLimits, quick: bool
) -> None:
    for setup in plan(limits, quick=quick).setups:
        held = setup.batch * (setup.context + setup.tokens)
        assert setup.batch < limits.max_num_seqs
        assert 1 <= setup.tokens <= limits.max_model_len - setup.context
        for chunk in setup.chunks:
            assert chunk.new + setup.batch <= limits.max_num_batched_tokens
            assert chunk.new <= (limits.long_prefill_token_threshold or chunk.new)
            assert chunk.new + chunk.cached < limits.max_model_len
            assert held + chunk.new + chunk.cached <= limits.kv_tokens
            assert chunk.cached % limits.block_size == 0


def test_the_plan_checks_on_settings_that_it_does_not_fit_to() -> None:
    setups = plan(EngineLimits(), quick=False).setups
    fitted = {(s.batch, s.context) for s in setups if not s.held_out}
    checked = {(s.batch, s.context) for s in setups if s.held_out}
    assert fitted
    assert checked
    assert not fitted & checked


def test_the_time_left_follows_the_pace() -> None:
    assert CampaignProgress(round=1, rounds=2, done=5, total=20, elapsed_s=10).left_s == 30
