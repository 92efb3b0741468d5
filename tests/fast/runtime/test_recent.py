"""What the last minutes brought, by class."""

from __future__ import annotations

import pytest

from cato_backend.runtime.lateness import LateCause, Lateness
from cato_backend.runtime.recent import SLICE_S, SLICES, WINDOW_S, AnswerTimes, RecentOutcomes
from cato_backend.wire.headers import Task

NOW = 100_000.0


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recent(clock: Clock) -> RecentOutcomes:
    return RecentOutcomes(clock)


def test_goodput_counts_what_was_still_wanted(recent: RecentOutcomes) -> None:
    outcomes = ["met"] * 6 + ["enough", "late", "expired", "cancelled", "superseded"]
    for outcome in outcomes:
        recent.ended(Task.COMPLETION, outcome, AnswerTimes())
    seen = recent.classes()[Task.COMPLETION]
    assert seen.goodput == pytest.approx(7 / 9)
    assert seen.outcomes["met"] == 6
    assert (seen.wanted[-1], seen.met[-1], sum(seen.wanted)) == (9, 7, 9)
    assert recent.classes()[Task.AGENT].goodput is None


def test_the_window_moves_on_slice_by_slice(recent: RecentOutcomes, clock: Clock) -> None:
    for at in (0.0, SLICE_S, 3 * SLICE_S):
        clock.now = NOW + at
        recent.ended(Task.GENERATION, "met", AnswerTimes(e2e_s=1.0))
    assert recent.classes()[Task.GENERATION].wanted[-4:] == [1, 1, 0, 1]
    clock.now = NOW + SLICE_S + WINDOW_S - SLICE_S
    seen = recent.classes()[Task.GENERATION]
    assert seen.wanted == [1, 0, 1] + [0] * (SLICES - 3)
    clock.now = NOW + 10 * WINDOW_S
    gone = recent.classes()[Task.GENERATION]
    assert (sum(gone.wanted), gone.quantiles, gone.goodput, gone.busy_s) == (0, {}, None, 0.0)


def test_quantiles_are_of_whole_answers_by_nearest_rank(recent: RecentOutcomes) -> None:
    for n in range(1, 101):
        recent.ended(Task.COMPLETION, "met", AnswerTimes(0.5, n / 100, None, n / 50))
    recent.ended(Task.COMPLETION, "cancelled", AnswerTimes(9.0, 9.0, 9.0, 9.0))
    quantiles = recent.classes()[Task.COMPLETION].quantiles
    assert quantiles["ttft_s"] == {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    assert quantiles["e2e_s"] == {"p50": 1.0, "p90": 1.8, "p99": 1.98}
    assert "tpot_s" not in quantiles, "no answer had two tokens"


def test_the_time_on_replicas_excludes_the_queue(recent: RecentOutcomes) -> None:
    recent.ended(Task.TRANSLATION, "late", AnswerTimes(queue_s=2.0, e2e_s=5.0))
    recent.ended(Task.TRANSLATION, "met", AnswerTimes(queue_s=None, e2e_s=1.0))
    assert recent.classes()[Task.TRANSLATION].busy_s == pytest.approx(4.0)


def test_late_calls_are_told_newest_first_and_forgotten(
    recent: RecentOutcomes, clock: Clock
) -> None:
    for n in range(80):
        clock.now = NOW + n
        lateness = Lateness(LateCause.QUEUE if n % 2 else LateCause.PACE, str(n))
        recent.late(Task.COMPLETION, "m", "r", lateness)
    told = recent.late_calls()
    assert [call.lateness.text for call in told] == [str(n) for n in range(79, 29, -1)]
    assert recent.late_causes() == {LateCause.QUEUE: 25, LateCause.PACE: 25}
    clock.now = NOW + 79 + WINDOW_S
    assert recent.late_calls() == []


def test_sessions_count_once_and_while_they_ask(recent: RecentOutcomes, clock: Clock) -> None:
    recent.asked(("ada", "one"))
    recent.asked(("ada", "two"))
    clock.now += WINDOW_S / 2
    recent.asked(("ada", "one"))
    assert recent.sessions() == 2
    clock.now += WINDOW_S / 2
    assert recent.sessions() == 1
