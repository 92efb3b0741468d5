"""Predicted times against the law summed up step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.engine_model import Engine, Job
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.profile_files.profile import EngineLimits, Form, StepLaw

LIMITS = EngineLimits(max_num_batched_tokens=512)


def law(form: Form = "additive", per_attention: float = 0.0) -> StepLaw:
    return StepLaw(form, 0.02, 0.003, 1e-4, 1e-5, 1e-7, per_attention)


def stepped(law: StepLaw, prompt: int, decoding: int, kv_tokens: int) -> float:
    """The steps of one prompt beside so many decoding sequences, whose context stands still."""
    done, seconds = 0, 0.0
    while done < prompt:
        chunk = min(prompt - done, LIMITS.max_num_batched_tokens - decoding)
        done += chunk
        context = kv_tokens + prompt
        seconds += law.seconds(chunk + decoding, decoding + 1, context, chunk * (done - chunk / 2))
    return seconds


@given(st.integers(1, 4000), st.integers(0, 60), st.integers(0, 50_000))
def test_a_prompt_on_its_way_takes_the_sum_of_its_steps(prompt: int, others: int, kv: int) -> None:
    model = ServiceModel(law(), LIMITS)
    state = ReplicaState(decoding=others, kv_tokens=kv)
    under_way = law().seconds(others, others, kv) / 2 if others else 0.0
    expected = under_way + stepped(law(), prompt, others, kv)
    assert model.ttft_s(state, Work(prompt)) == pytest.approx(expected)


@given(st.sampled_from([512, 1024, 4096]), st.integers(0, 2))
def test_attention_within_a_prompt_grows_with_its_context(prompt: int, form: int) -> None:
    forms: tuple[Form, ...] = ("additive", "max", "max")
    quadratic = law(forms[form], per_attention=1e-8)
    predicted = ServiceModel(quadratic, LIMITS).ttft_s(ReplicaState(), Work(prompt))
    assert predicted == pytest.approx(stepped(quadratic, prompt, 0, 0))


def test_what_is_ahead_is_waited_for_and_what_is_cached_is_not() -> None:
    model = ServiceModel(law(), LIMITS)
    alone = model.ttft_s(ReplicaState(), Work(1000))
    cached = model.ttft_s(ReplicaState(), Work(100, cached=900))
    behind = model.ttft_s(ReplicaState(pending_prefill=2000, unstarted=2), Work(1000))
    assert cached < alone / 2
    assert behind > alone + 2000 * law().per_new_token


def test_the_end_is_the_first_token_and_a_step_for_each_further_one() -> None:
    flat = StepLaw("additive", 0.02, per_new_token=1e-4)
    model = ServiceModel(flat, LIMITS)
    state, work = ReplicaState(decoding=9), Work(100, output=51)
    after = model.e2e_s(state, work) - model.ttft_s(state, work)
    assert after == pytest.approx(50 * (0.02 + 10 * 1e-4))


def test_prompts_that_keep_coming_stretch_the_step_to_its_fixed_point() -> None:
    model = ServiceModel(law(), LIMITS)
    token_s = model.token_s(sequences=8, kv_tokens=8000, prefill_rate=4000)
    assert token_s == pytest.approx(law().seconds(8 + 4000 * token_s, 8, 8000))
    assert model.token_s(8, 8000, 1e9) == pytest.approx(10 * law().seconds(8, 8, 8000))


def test_in_the_max_form_prompts_are_computed_in_part_while_weights_are_read() -> None:
    plain, hidden = ServiceModel(law(), LIMITS), ServiceModel(law("max"), LIMITS)
    alone = law("max").seconds(8, 8, 8000)
    assert alone < hidden.token_s(8, 8000, 4000)
    assert hidden.token_s(8, 8000, 4000) / alone < plain.token_s(8, 8000, 4000) / alone


def test_a_prompt_stalls_those_that_decode_by_what_it_adds_to_their_steps() -> None:
    model = ServiceModel(law(), LIMITS)
    state = ReplicaState(decoding=12, kv_tokens=12_000)
    stall = model.stall_s(state, Work(400))
    assert stall == pytest.approx(400 * 1e-4 + 1e-5)  # and its own slot
    two_chunks = model.stall_s(state, Work(1000))
    assert two_chunks == pytest.approx(1000 * 1e-4 + 2 * 1e-5)


BESIDE = EngineLimits(
    max_num_seqs=64,
    kv_tokens=10_000_000,
    max_model_len=150_000,
    long_prefill_token_threshold=512,
)


@pytest.mark.parametrize("decoding", [1, 20])
@pytest.mark.parametrize("longs", [1, 2, 3, 5])
@pytest.mark.parametrize("uncached", [100, 512, 3000])
@pytest.mark.parametrize("per_attention", [0.0, 2e-9])
def test_with_a_threshold_a_prompt_is_computed_beside_long_ones(
    decoding: int, longs: int, uncached: int, per_attention: float
) -> None:
    """As the engine model does it, from a step boundary on, half-way through the long prompts."""
    plain, tokens = law(per_attention=per_attention), 40_000
    engine = Engine(plain, BESIDE)
    for number in range(decoding):
        engine.submit(Job(f"decodes{number}", 10, 10_000))
    engine.begin_step()
    engine.end_step()
    for number in range(longs):
        engine.submit(Job(f"long{number}", tokens, 1))
    steps = tokens // 2 * longs // min(longs * 512, 2048 - decoding)
    for _ in range(steps):
        engine.begin_step()
        engine.end_step()
    state = ReplicaState(
        decoding=decoding,
        kv_tokens=decoding * steps + longs * tokens // 2,
        pending_prefill=longs * tokens,
        unstarted=longs,
        computing=longs * tokens,
        since_step_s=1e9,
    )
    predicted = ServiceModel(plain, BESIDE).ttft_s(state, Work(uncached))
    engine.submit(Job("own", uncached, 1))
    took, prefilled = 0.0, tuple[str, ...]()
    while "own" not in prefilled:
        step = engine.begin_step()
        assert step is not None
        took += step.seconds()
        prefilled = engine.end_step().prefilled
    if longs < 4:
        assert predicted == pytest.approx(took, rel=0.15)
    else:  # Two of five wait for a lane; how far those that compute are is not known.
        assert took / 3 < predicted < 3 * took


def test_a_prompt_that_is_alone_is_computed_in_whole_steps() -> None:
    alone = ServiceModel(law(), BESIDE).ttft_s(ReplicaState(), Work(20_480))
    assert alone == pytest.approx(10 * law().seconds(2048, 1, 20_480))
    beside = ServiceModel(law(), BESIDE).prompt_s(1, 0, 20_480, 0)
    assert beside > 40 * law().base
