"""The engine model against the same rules written plainly, and what must hold whatever happens."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cato_backend.engine_model import Admission, Engine, Job, Order
from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import EngineLimits
from tests.fast.engine_model.jobs import LAWS, LIMITS, ORDERS, hashes, jobs
from tests.fast.engine_model.plain import PlainEngine

EXAMPLES = int(os.environ.get("CATO_EXAMPLES", "40"))
LAW = LAWS[0]


def emitted_by(engine: Engine, job: Job) -> int:
    """Runs until the job has finished; how many tokens came out of it."""
    tokens = 0
    while engine.begin_step():
        tokens += job.id in engine.emitting()
        if job.id in engine.end_step().finished:
            return tokens
    raise AssertionError("it never finished")


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), LIMITS, ORDERS)
def test_every_step_is_that_of_the_plain_engine(
    data: st.DataObject, limits: EngineLimits, order: Order
) -> None:
    engine, plain = Engine(LAW, limits, order), PlainEngine(limits, order)
    alive: dict[str, int] = {}
    for number in range(data.draw(st.integers(1, 60), label="steps")):
        if data.draw(st.booleans(), label="arrives"):
            job = data.draw(jobs(limits.block_size, str(number)))
            alive[job.id] = job.output_tokens
            engine.submit(job)
            plain.submit(job)
        if alive and data.draw(st.integers(0, 9), label="abort") == 0:
            gone = data.draw(st.sampled_from(sorted(alive)))
            assert engine.abort(gone)
            plain.abort(gone)
            del alive[gone]
        compare(engine, plain, alive)
    while alive:
        compare(engine, plain, alive)
    assert (engine.running, engine.waiting, engine.kv_usage) == (0, 0, 0)


def compare(engine: Engine, plain: PlainEngine, alive: dict[str, int]) -> None:
    """One step of both."""
    step, expected = engine.begin_step(), plain.step()
    assert (step is None) == (expected is None)
    if step is None or expected is None:
        return
    assert step.new_tokens <= engine.limits.max_num_batched_tokens
    assert step.sequences <= engine.limits.max_num_seqs
    assert (step.new_tokens, step.sequences, step.kv_tokens, step.attention) == expected.load
    assert [(a.id, a.cached_tokens) for a in step.admitted] == expected.admitted
    assert list(step.preempted) == expected.preempted
    emitting = sorted(engine.emitting())
    end = engine.end_step()
    assert emitting == sorted(expected.emitted)
    assert end.tokens == len(emitting)
    assert sorted(end.finished) == sorted(expected.finished)
    for job_id in emitting:
        alive[job_id] -= 1
    for job_id in end.finished:
        assert alive.pop(job_id) == 0


def test_an_abort_in_mid_step_takes_effect_at_its_end() -> None:
    engine = Engine(LAW, EngineLimits())
    engine.submit(Job("gone", 100, 50))
    engine.submit(Job("stays", 100, 2))
    engine.begin_step()
    assert engine.abort("gone")
    assert engine.running == 2
    assert engine.end_step().prefilled == ("stays",)
    assert engine.running == 1
    assert not engine.abort("gone")
    assert emitted_by(engine, Job("stays", 100, 2)) == 1
    assert engine.kv_usage == 0


def test_waiting_jobs_run_by_priority_then_by_arrival() -> None:
    engine = Engine(LAW, EngineLimits(max_num_seqs=1))
    for name, priority in (("first", 5), ("late", 9), ("urgent", -3), ("second", 5)):
        engine.submit(Job(name, 10, 1, priority=priority))
    order: list[str] = []
    while engine.begin_step():
        order += engine.end_step().finished
    assert order == ["urgent", "first", "second", "late"]


def test_the_least_urgent_is_preempted_and_computes_again_what_is_not_cached() -> None:
    limits = EngineLimits(max_num_seqs=4, kv_tokens=64, block_size=8, max_model_len=60)
    engine = Engine(LAW, limits)
    keys = hashes(range(24), 8)
    engine.submit(Job("victim", 24, 20, keys, priority=1))
    engine.submit(Job("urgent", 24, 20, priority=0))
    preempted, readmitted, tokens = 0, list[Admission](), 0
    while step := engine.begin_step():
        preempted += len(step.preempted)
        if preempted:
            readmitted += step.admitted
        tokens += engine.end_step().tokens
    assert preempted == 1
    assert [each.id for each in readmitted] == ["victim"]
    assert readmitted[0].cached_tokens < 24
    assert tokens == 40


def test_a_prompt_that_is_cached_whole_still_computes_its_last_token() -> None:
    engine = Engine(LAW, EngineLimits(block_size=8))
    job = Job("a", 32, 1, hashes(range(32), 8))
    engine.submit(job)
    assert emitted_by(engine, job) == 1
    engine.submit(job)
    step = engine.begin_step()
    assert step is not None
    assert step.admitted == (Admission("a", 24),)
    assert step.new_tokens == 8


def test_what_can_never_run_is_refused() -> None:
    limits = EngineLimits(kv_tokens=64, max_model_len=50)
    engine = Engine(LAW, limits)
    for prompt, output in ((0, 1), (1, 0), (40, 20)):
        with pytest.raises(ValueError, match="cannot run"):
            engine.submit(Job("a", prompt, output))
    with pytest.raises(ConfigError, match="max_num_batched_tokens: got 8, expected at least"):
        Engine(LAW, EngineLimits(max_num_seqs=16, max_num_batched_tokens=8))
    with pytest.raises(ConfigError, match="long_prefill_token_threshold: got 51, expected at most"):
        Engine(LAW, EngineLimits(max_model_len=50, long_prefill_token_threshold=51))


LONG = EngineLimits(kv_tokens=400_000, max_model_len=150_000, long_prefill_token_threshold=512)


def test_a_short_prompt_is_computed_beside_long_ones() -> None:
    engine = Engine(LAW, LONG)
    for name in ("long", "longer"):
        engine.submit(Job(name, 100_000, 5))
    assert [chunk_tokens(engine) for _ in range(2)] == [1024, 1024]
    engine.submit(Job("short", 600, 1))
    assert chunk_tokens(engine) == 3 * 512
    step = engine.begin_step()
    assert step is not None
    assert step.new_tokens == 2 * 512 + 600 - 512
    assert engine.end_step().finished == ("short",)


def test_a_long_prompt_that_is_alone_has_the_whole_step() -> None:
    engine = Engine(LAW, LONG)
    engine.submit(Job("long", 100_000, 5))
    assert chunk_tokens(engine) == 2048
    engine.submit(Job("short", 100, 2))
    assert chunk_tokens(engine) == 512 + 100
    assert chunk_tokens(engine) == 512 + 1
    assert chunk_tokens(engine) == 2048


def test_the_budget_limits_how_many_prompts_are_unfinished() -> None:
    engine = Engine(LAW, replace(LONG, max_num_batched_tokens=1200))
    for number in range(5):
        engine.submit(Job(str(number), 10_000, 5))
    assert [chunk_tokens(engine) for _ in range(3)] == [1200] * 3
    assert (engine.running, engine.waiting) == (3, 2)
    assert engine.abort("1")
    assert chunk_tokens(engine) == 1200
    assert (engine.running, engine.waiting) == (3, 1)


def chunk_tokens(engine: Engine) -> int:
    """New tokens of one step, which passes."""
    step = engine.begin_step()
    assert step is not None
    engine.end_step()
    return step.new_tokens
