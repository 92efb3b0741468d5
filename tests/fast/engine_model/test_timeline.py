"""Jumps change nothing but how often one has to look."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cato_backend.engine_model import Engine, Job, Order, Passed, Timeline
from cato_backend.profile_files.profile import EngineLimits, StepLaw
from tests.fast.engine_model.jobs import LAWS, LIMITS, ORDERS, jobs

EXAMPLES = int(os.environ.get("CATO_EXAMPLES", "40"))


@dataclass(frozen=True)
class Arrival:
    job: Job
    at: float
    aborted_at: float | None


def play(timeline: Timeline, arrivals: list[Arrival], probe: float) -> tuple[list[Passed], object]:
    """Everything that happened, and what had been emitted at the time of the probe."""
    acts: list[tuple[float, str, Job | None]] = [(a.at, "submit", a.job) for a in arrivals]
    acts += [(a.aborted_at, "abort", a.job) for a in arrivals if a.aborted_at is not None]
    passed: list[Passed] = []
    seen: object = None
    for now, act, job in sorted([*acts, (probe, "probe", None)], key=lambda each: each[:2]):
        passed += timeline.advance(now)
        if job is None:
            seen = {a.job.id: timeline.emitted(a.job.id, now) for a in arrivals if a.at <= now}
        elif act == "submit":
            timeline.submit(job, now)
        else:
            timeline.abort(job.id, now)
    return passed + timeline.advance(1e9), seen


def events(passed: list[Passed]) -> list[tuple[str, object, float]]:
    """What a user of the timeline reacts to."""
    found: list[tuple[str, object, float]] = []
    for each in passed:
        found += [("admitted", a, each.time) for a in each.admitted if each.steps == 1]
        found += [("preempted", job_id, each.time) for job_id in each.preempted]
        found += [("prefilled", job_id, each.time) for job_id in each.end.prefilled]
        found += [("finished", job_id, each.time) for job_id in sorted(each.end.finished)]
    return found


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), LIMITS, ORDERS, st.sampled_from(LAWS))
def test_jumps_are_exactly_the_single_steps(
    data: st.DataObject, limits: EngineLimits, order: Order, law: StepLaw
) -> None:
    times = st.floats(0, 0.5)
    arrivals = [
        Arrival(
            data.draw(jobs(limits.block_size, str(i))),
            at := data.draw(times),
            data.draw(st.none() | times.map(lambda after, at=at: at + after)),
        )
        for i in range(data.draw(st.integers(1, 8)))
    ]
    probe = data.draw(times)
    jumps, seen = play(Timeline(Engine(law, limits, order)), arrivals, probe)
    steps, seen_too = play(Timeline(Engine(law, limits, order), most=1), arrivals, probe)
    assert seen == seen_too
    assert sum(each.steps for each in jumps) == len(steps)
    assert sum(each.end.tokens for each in jumps) == sum(each.end.tokens for each in steps)
    for jumped, stepped in zip(events(jumps), events(steps), strict=True):
        assert jumped[:2] == stepped[:2]
        assert jumped[2] == pytest.approx(stepped[2], rel=1e-9)


def test_a_long_answer_alone_takes_two_looks() -> None:
    timeline = Timeline(Engine(LAWS[0], EngineLimits()))
    timeline.submit(Job("a", 100, 501), 10.0)
    assert timeline.next_time == pytest.approx(10.03)
    passed = timeline.advance(1000.0)
    assert [each.steps for each in passed] == [1, 500]
    assert passed[-1].time == pytest.approx(10.03 + 500 * 0.0201)
    assert timeline.next_time is None


def test_who_arrives_in_a_jump_starts_at_the_next_step_boundary() -> None:
    timeline = Timeline(Engine(LAWS[0], EngineLimits()))
    timeline.submit(Job("a", 100, 501), 0.0)
    timeline.advance(0.03)
    timeline.submit(Job("b", 100, 2), 0.04)
    assert timeline.next_time == pytest.approx(0.0501)
    first, second = timeline.advance(0.09)
    assert (first.steps, second.end.prefilled) == (1, ("b",))
    assert second.time == pytest.approx(0.0501 + 0.02 + 101 * 0.0001)
    assert timeline.emitted("a", 0.09) == 3


def test_within_a_jump_it_is_known_when_the_step_under_way_began() -> None:
    timeline = Timeline(Engine(StepLaw("additive", base=0.1), EngineLimits()))
    assert timeline.step_began(0.0) is None
    timeline.submit(Job("a", 5, 50), 1.0)
    assert timeline.step_began(1.05) == pytest.approx(1.0)
    timeline.advance(1.15)
    assert timeline.step_began(1.15) == pytest.approx(1.1)
    assert timeline.step_began(2.05) == pytest.approx(2.0)
