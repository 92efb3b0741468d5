"""Limits of a step: prompts of any length keep others waiting no longer than the targets allow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.fleet.engine_limits import choose_step_limits
from cato_backend.profile_files.files import list_profiles
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Target

COMPLETION = Target(ttft_s=0.25, worthless_after_s=0.5)
GENERATION = Target(ttft_s=1.0, tpot_s=0.04)
LAW = StepLaw("max", 0.0069, 0.0056, 6e-5, 8.4e-5, 3.6e-8, 2.2e-9)
LIMITS = EngineLimits(kv_tokens=900_000, max_model_len=131_072, max_num_batched_tokens=8192)
SHIPPED = [pytest.param(f.profile(), id=f"{f.hardware}-{f.model}") for f in list_profiles()]


def chosen(
    law: StepLaw = LAW, limits: EngineLimits = LIMITS, completion: Target = COMPLETION
) -> EngineLimits:
    return choose_step_limits(law, limits, completion, GENERATION)


def decodes_s(law: StepLaw, tokens: int, context: int) -> float:
    """A step of 16 sequences of 2,000 tokens beside a chunk of a prompt."""
    sequences, kv_tokens = 16 + (1 if tokens else 0), 32_000 + context
    return law.seconds(16 + tokens, sequences, kv_tokens, tokens * context)


@pytest.mark.parametrize("profile", SHIPPED)
def test_a_step_with_a_chunk_of_the_longest_prompt_keeps_to_its_share(profile: Profile) -> None:
    limits = chosen(profile.law, replace(profile.limits, max_num_seqs=64))
    mean_context = min(131_072, profile.limits.max_model_len) // 2
    chunk = limits.long_prefill_token_threshold
    beside_s = decodes_s(profile.law, chunk, mean_context)
    alone_s = decodes_s(profile.law, 0, mean_context)
    if chunk > 64:
        assert beside_s <= (0.08 if alone_s <= 0.04 else 0.25)
    assert limits.max_num_batched_tokens <= profile.limits.max_num_batched_tokens
    full_s = decodes_s(profile.law, limits.max_num_batched_tokens, min(2000, mean_context))
    assert full_s <= 0.25 * 2 / 3 or limits.max_num_batched_tokens == 64
    assert limits.max_num_batched_tokens >= max(64, chunk)


def test_slower_steps_get_fewer_tokens() -> None:
    thresholds = [
        chosen(replace(LAW, per_new_token=k * 6e-5, per_attention=k * 2.2e-9))
        for k in (0.25, 0.5, 1.0, 2.0)
    ]
    found = [limits.long_prefill_token_threshold for limits in thresholds]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)
    steps = [limits.max_num_batched_tokens for limits in thresholds]
    assert steps == sorted(steps, reverse=True)


def test_a_longer_target_allows_longer_steps() -> None:
    relaxed = chosen(completion=Target(ttft_s=1.0))
    assert relaxed.max_num_batched_tokens > chosen().max_num_batched_tokens
    assert relaxed.long_prefill_token_threshold >= chosen().long_prefill_token_threshold


def test_an_engine_that_is_late_without_prompts_still_computes_them() -> None:
    """The TPOT cannot be met there; prompts of one grain a step would take minutes."""
    late = replace(LAW, weights=0.06)
    assert decodes_s(late, 0, 65_536) > 0.04
    assert chosen(late).long_prefill_token_threshold >= 128


def test_without_prompts_that_are_longer_there_is_no_threshold() -> None:
    short = replace(LIMITS, max_model_len=256, max_num_seqs=64)
    limits = chosen(limits=short)
    assert limits.long_prefill_token_threshold == 0


def test_a_step_holds_a_token_of_every_sequence() -> None:
    slow = replace(LAW, per_new_token=0.002)
    limits = chosen(slow, replace(LIMITS, max_num_seqs=512))
    assert limits.max_num_batched_tokens == 512
    assert limits.max_num_seqs == 512
