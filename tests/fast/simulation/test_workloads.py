"""What is asked: quantiles of lengths, shared prefixes, targets, and typing as it was measured."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cato_backend.wire.headers import TASKS_OF_PEOPLE, Task
from cato_lab.workloads import (
    Arrival,
    DeveloperWorkload,
    MixWorkload,
    OracleWorkload,
    Poisson,
)
from cato_lab.workloads.arrival import BLOCK_TOKENS
from cato_lab.workloads.lengths import Context, draw_size

_LONG_MIX = MixWorkload(Poisson(50.0), duration_s=60.0, context=Context.RICH, whole_files=True)


def _quantile(task: Task, share: float, of: str, context: Context = Context.RICH) -> float:
    rng = np.random.default_rng(7)
    return float(
        np.quantile([getattr(draw_size(task, context, rng), of) for _ in range(4000)], share)
    )


@pytest.mark.parametrize(
    ("task", "of", "share", "tokens"),
    [
        (Task.COMPLETION, "prompt_tokens", 0.5, 1384),
        (Task.COMPLETION, "prompt_tokens", 0.9, 4770),
        (Task.GENERATION, "prompt_tokens", 0.5, 757),
        (Task.GENERATION, "output_tokens", 0.5, 255),
        (Task.SUMMARIZATION, "output_tokens", 0.5, 55),
    ],
)
def test_quantiles_are_those_of_the_sources(task: Task, of: str, share: float, tokens: int) -> None:
    assert _quantile(task, share, of) == pytest.approx(tokens, rel=0.1)


def test_lean_completions_are_short() -> None:
    assert _quantile(Task.COMPLETION, 0.5, "prompt_tokens", Context.LEAN) == pytest.approx(
        200, rel=0.1
    )


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(TASKS_OF_PEOPLE),
    st.sampled_from(Context),
    st.booleans(),
)
@settings(max_examples=60)
def test_lengths_stay_within_their_bounds(
    seed: int, task: Task, context: Context, whole_files: bool
) -> None:
    size = draw_size(task, context, np.random.default_rng(seed), whole_files=whole_files)
    assert 1 <= size.output_tokens <= size.max_tokens <= 2048
    assert 16 <= size.prompt_tokens <= 8192
    assert 0.25 <= size.target.budget_s <= 15.0


def test_the_mix_has_its_shares_and_all_that_a_request_needs() -> None:
    arrivals = list(_LONG_MIX.arrivals(3))
    shares = Counter(arrival.task for arrival in arrivals)
    for task, share in _LONG_MIX.shares.items():
        assert shares[task] / len(arrivals) == pytest.approx(share, abs=0.04)
    assert len({arrival.id for arrival in arrivals}) == len(arrivals)
    assert all(len(a.blocks) == a.prompt_tokens // BLOCK_TOKENS for a in arrivals)
    assert all(a.cancel_after_s is None for a in arrivals)


def test_another_rate_asks_the_same_in_the_same_order() -> None:
    def asked(rate: float) -> list[tuple[Task, int, int]]:
        arrivals = MixWorkload(Poisson(rate), duration_s=10.0).arrivals(5)
        return [(a.task, a.prompt_tokens, a.output_tokens) for a in arrivals]

    slow, fast = asked(5.0), asked(20.0)
    assert fast[: len(slow)] == slow


@pytest.mark.parametrize(
    "workload", [MixWorkload(Poisson(20.0), duration_s=5.0), DeveloperWorkload(4, duration_s=20.0)]
)
def test_a_seed_repeats_itself_and_another_does_not(
    workload: MixWorkload | DeveloperWorkload,
) -> None:
    assert list(workload.arrivals(1)) == list(workload.arrivals(1))
    assert list(workload.arrivals(1)) != list(workload.arrivals(2))


def test_equal_block_ids_mean_equal_prefixes() -> None:
    before: dict[int, tuple[int, ...]] = {}
    for arrival in DeveloperWorkload(6, duration_s=120.0).arrivals(1):
        for depth, block in enumerate(arrival.blocks):
            prefix = arrival.blocks[:depth]
            assert before.setdefault(block, prefix) == prefix


def _completions(workload: DeveloperWorkload) -> list[Arrival]:
    return [a for a in workload.arrivals(1) if a.task is Task.COMPLETION]


def _repeats(workload: DeveloperWorkload) -> float:
    """The share of prompt tokens that the one before already had, one developer's."""
    asked = _completions(workload)
    shared = total = 0
    for before, after in pairwise(asked):
        total += len(after.blocks)
        same = [a == b for a, b in zip(before.blocks, after.blocks, strict=False)]
        shared += same.index(False) if False in same else len(same)
    return shared / total


def test_suffix_first_prompts_change_at_their_end_only() -> None:
    assert _repeats(DeveloperWorkload(1, duration_s=900.0)) == pytest.approx(0.85, abs=0.05)


def test_prefix_first_prompts_send_the_suffix_again() -> None:
    prefix_first = DeveloperWorkload(1, duration_s=900.0, suffix_share=0.5)
    assert _repeats(prefix_first) == pytest.approx(0.43, abs=0.06)


@pytest.mark.parametrize(
    ("debounce_ms", "per_hour", "cancelled_in_200_ms"), [(75, 3295, 0.75), (250, 927, 0.67)]
)
def test_developers_ask_and_cancel_as_measured(
    debounce_ms: float, per_hour: float, cancelled_in_200_ms: float
) -> None:
    workload = DeveloperWorkload(10, duration_s=900.0, debounce_s=debounce_ms / 1e3)
    asked = _completions(workload)
    assert len(asked) / 10 * 4 == pytest.approx(per_hour, rel=0.08)
    patience = [a.cancel_after_s for a in asked if a.cancel_after_s is not None]
    early = sum(seconds < 0.2 for seconds in patience) / len(asked)
    assert early == pytest.approx(cancelled_in_200_ms, abs=0.04)


def test_the_next_key_comes_before_the_next_question() -> None:
    for before, after in pairwise(_completions(DeveloperWorkload(1, duration_s=300.0))):
        assert before.cancel_after_s is not None
        assert before.time + before.cancel_after_s <= after.time


def test_people_with_breaks_ask_half_as_much() -> None:
    always = len(list(DeveloperWorkload(60, duration_s=120.0).arrivals(1)))
    breaks = len(list(DeveloperWorkload(60, duration_s=120.0, sessions=True).arrivals(1)))
    assert 0.25 < breaks / always < 0.8


def test_commands_are_what_typing_does_not_ask() -> None:
    workload = DeveloperWorkload(20, duration_s=300.0)
    asked = [each for each in workload.arrivals(1) if each.task is not Task.COMPLETION]
    assert list(workload.commands(1)) == asked != []


def test_an_oracle_knows_lengths_and_cancellations() -> None:
    plain = DeveloperWorkload(3, duration_s=30.0)
    asked = [a for a in plain.arrivals(1) if a.counts]
    told = list(OracleWorkload(plain).arrivals(1))
    assert [a.id for a in told] == [a.id for a in asked]
    assert all(a.max_tokens == a.output_tokens for a in told)


def test_the_index_sees_every_fifth_block() -> None:
    arrival = next(MixWorkload(Poisson(20.0), shares={Task.GENERATION: 1.0}).arrivals(1))
    assert arrival.request("m", 0.0).prompt_blocks == arrival.blocks[4::5]
