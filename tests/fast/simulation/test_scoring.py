"""Goodput's truth table, and what is reported beside it."""

from __future__ import annotations

from math import inf, isnan

import pytest

from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.scoring.records import score_record, score_table
from cato_lab.scoring.scores import Capacity, score, work_s
from cato_lab.scoring.statistics import interval, percentile
from cato_lab.simulation.fleet import REFERENCE
from tests.fast.simulation.stories import E2E, TTFT, arrival, outcome

_FIRST_IN_TIME, _FIRST_LATE = 0.9, 1.1


@pytest.mark.parametrize(
    ("of", "counted", "met"),
    [
        (outcome(arrival(), first_token_s=_FIRST_IN_TIME, ended_s=90.0), 1, 1),
        (outcome(arrival(), first_token_s=_FIRST_LATE), 1, 0),
        (outcome(arrival(target=E2E), ended_s=2.9), 1, 1),
        (outcome(arrival(target=E2E), ended_s=3.1), 1, 0),
        (outcome(arrival(), Ending.REJECTED, None, 0.0, "overloaded"), 1, 0),
        (outcome(arrival(), Ending.FAILED, _FIRST_IN_TIME, 1.0, "truncated"), 1, 0),
        (outcome(arrival(target=E2E), Ending.FAILED, 0.1, 1.0, "reset"), 1, 0),
        # The client took it back before its deadline: it does not count, whatever came of it.
        (outcome(arrival(cancel_after_s=0.9), Ending.CANCELLED, None, 0.9), 0, 0),
        (outcome(arrival(cancel_after_s=0.9), Ending.CANCELLED, 0.2, 0.9), 0, 0),
        (outcome(arrival(cancel_after_s=0.9), Ending.FINISHED, 0.2, 0.5), 0, 0),
        (outcome(arrival(cancel_after_s=0.9), Ending.REJECTED, None, 0.1, "expired"), 0, 0),
        # After its deadline: it counts, and what had come by then decides.
        (outcome(arrival(cancel_after_s=1.2), Ending.CANCELLED, _FIRST_IN_TIME, 1.2), 1, 1),
        (outcome(arrival(cancel_after_s=1.2), Ending.CANCELLED, _FIRST_LATE, 1.2), 1, 0),
        (outcome(arrival(cancel_after_s=1.2), Ending.CANCELLED, None, 1.2), 1, 0),
        (outcome(arrival(target=E2E, cancel_after_s=4.0), Ending.CANCELLED, 0.1, 4.0), 1, 0),
        # It had enough: met, even if it would have been taken back soon after.
        (outcome(arrival(), Ending.ENOUGH, 0.5, 0.6), 1, 1),
        (outcome(arrival(cancel_after_s=0.9), Ending.ENOUGH, 0.5, 0.6), 1, 1),
    ],
)
def test_what_counts_and_what_is_met(of: Outcome, counted: int, met: int) -> None:
    overall = score([of], 10.0).overall
    assert (overall.requests, overall.counted, overall.met) == (1, counted, met)


def test_goodput_is_told_by_class_and_rate() -> None:
    outcomes = [
        outcome(arrival("a")),
        outcome(arrival("b"), first_token_s=2.0),
        outcome(arrival("c", target=E2E, task=Task.SUMMARIZATION)),
    ]
    found = score(outcomes, 10.0)
    assert found.classes[Task.GENERATION].goodput == 0.5
    assert found.classes[Task.SUMMARIZATION].goodput == 1.0
    assert Task.COMPLETION not in found.classes
    assert found.overall.goodput == pytest.approx(2 / 3)
    assert found.goodput_rate == pytest.approx(0.2)
    assert dict(found.overall.misses) == {"late": 1}


def test_the_never_answered_weigh_on_the_percentiles() -> None:
    outcomes = [outcome(arrival(str(i)), first_token_s=i / 100) for i in range(90)]
    outcomes += [outcome(arrival(f"r{i}"), Ending.REJECTED, None, 0.0, "x") for i in range(10)]
    ttft = score(outcomes, 10.0).overall.ttft
    assert ttft.at(50) == 0.49
    assert ttft.at(95) == inf


def test_warmup_is_left_out() -> None:
    outcomes = [outcome(arrival("a", 1.0), first_token_s=2.0), outcome(arrival("b", 5.0))]
    found = score(outcomes, 10.0, warmup_s=5.0)
    assert (found.overall.counted, found.overall.met, found.goodput_rate) == (1, 1, 0.2)


def test_usable_text_is_a_whole_completion_in_half_a_second() -> None:
    def completion(
        name: str, cancel_after_s: float | None, ending: Ending, ended_s: float
    ) -> Outcome:
        asked = arrival(name, task=Task.COMPLETION, cancel_after_s=cancel_after_s)
        return outcome(asked, ending, 0.1, ended_s)

    outcomes = [
        completion("in time", None, Ending.FINISHED, 0.4),
        completion("late", None, Ending.FINISHED, 0.6),
        completion("left before", 0.3, Ending.CANCELLED, 0.3),
        completion("left after", 2.0, Ending.CANCELLED, 2.0),
    ]
    assert score(outcomes, 10.0).overall.usable == pytest.approx(1 / 3)


def test_tpot_is_one_number_per_request() -> None:
    # Eleven tokens, the first after half a second, the last a second later: 100 ms each.
    found = score([outcome(arrival())], 10.0).overall
    assert found.tpot.at(50) == pytest.approx(0.1)


@pytest.mark.parametrize(("tpot_s", "met"), [(0.09, 0), (0.11, 1), (None, 1)])
def test_a_target_with_tpot_counts_both_parts(tpot_s: float | None, met: int) -> None:
    asked = arrival(target=Target(ttft_s=1.0, tpot_s=tpot_s))
    found = score([outcome(asked)], 10.0).overall
    assert (found.met, found.met_by_first_token) == (met, 1)


def test_utilization_prices_what_was_met() -> None:
    asked = arrival(prompt_tokens=1600, output_tokens=64)
    worth = work_s(asked, REFERENCE)
    # 1,600 tokens of a full prefill step (20 ms + 2,048 x 0.1 ms), and 64 of decode steps with as
    # many slots as the cache has room for (100,000 tokens of 1,632 each).
    slots = 100_000 / 1632
    assert worth == pytest.approx(1600 / 2048 * 0.2248 + 64 * (0.020 + slots * 0.0001) / slots)
    outcomes = [outcome(asked), outcome(asked, first_token_s=2.0)]
    found = score(outcomes, 10.0, Capacity(40.0, REFERENCE, busy_s=10.0))
    assert found.utilization == pytest.approx(worth / 40)
    assert found.busy_share == 0.25


def test_nothing_scores_nothing() -> None:
    found = score([], 10.0)
    assert isnan(found.overall.goodput)
    assert score_record(found)["overall"]["goodput"] is None
    assert "0/0" in score_table(found)


def test_the_record_is_plain_json() -> None:
    refused = outcome(arrival(target=TTFT), Ending.REJECTED, None, 0.0, "overloaded")
    record = score_record(score([refused], 10.0))
    assert record["classes"]["generation"]["ttft"]["p95"] == "never"
    assert record["overall"]["endings"] == {"rejected: overloaded": 1}


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.75, 3), (1.0, 4)])
def test_percentiles_are_nearest_ranks(share: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], share) == value


def test_the_interval_is_students() -> None:
    found = interval([0.90, 0.92, 0.94])
    # t(0.975, 2) = 4.3027; the standard error is 0.02 / sqrt(3).
    assert (found.mean, found.half) == pytest.approx((0.92, 0.0497), abs=1e-4)
    assert isnan(interval([0.9]).low)
