"""What is made of the scheduler's events."""

from __future__ import annotations

import pytest

from cato_backend.provisioning.provisioner import RequestTracker
from cato_backend.provisioning.rules.base import AnsweredRequest
from cato_backend.requests import Request, Target
from cato_backend.scheduling import Cancelled, Finished, Progressed, Refusal, Reject, Submitted
from cato_backend.wire.headers import Task
from tests.fast.provisioning.traffic import NO_DECISIONS, request

E2E = {"task": Task.SUMMARIZATION, "target": Target(e2e_s=3.0)}


def ended(
    asked: Request, first: float | None, end: float, *, left: bool = False
) -> AnsweredRequest:
    tracker = RequestTracker()
    tracker.observe(Submitted(asked), NO_DECISIONS, 0.0)
    if first is not None:
        tracker.observe(Progressed(asked.id, 1, 5, 1000, 800), NO_DECISIONS, first)
    event = Cancelled(asked.id) if left else Finished(asked.id, 1)
    (answer,) = tracker.observe(event, NO_DECISIONS, end)
    return answer


@pytest.mark.parametrize(
    ("changed", "first", "end", "left", "met"),
    [
        ({}, 0.2, 5.0, False, True),
        ({}, 0.3, 0.4, False, False),
        ({}, 0.2, 0.22, True, True),
        ({}, None, 0.1, True, None),
        ({}, None, 0.4, True, False),
        (E2E, 0.2, 2.9, False, True),
        (E2E, 0.2, 3.1, False, False),
        (E2E, 0.2, 2.0, True, None),
        (E2E, 0.2, 4.0, True, False),
    ],
)
def test_met(
    changed: dict[str, object], first: float | None, end: float, left: bool, met: bool | None
) -> None:
    assert ended(request(1, 0.0, **changed), first, end, left=left).met is met


def test_lengths() -> None:
    answer = ended(request(1, 0.0), 0.2, 0.5)
    assert (answer.uncached_tokens, answer.output_tokens) == (200, 5)
    assert (answer.ttft_s, answer.ended_s) == (0.2, 0.5)


def test_a_refusal_is_a_miss_a_superseded_one_is_not() -> None:
    tracker = RequestTracker()
    tracker.observe(Submitted(request(1, 0.0)), NO_DECISIONS, 0.0)
    (late,) = tracker.observe(Submitted(request(2, 0.5)), [Reject("1", Refusal.EXPIRED)], 0.5)
    (left,) = tracker.observe(Submitted(request(3, 0.6)), [Reject("2", Refusal.SUPERSEDED)], 0.6)
    assert (late.met, left.met) == (False, None)


def test_who_is_gone_stays_gone() -> None:
    tracker = RequestTracker()
    tracker.observe(Submitted(request(1, 0.0)), NO_DECISIONS, 0.0)
    assert len(tracker.observe(Finished("1", 1), NO_DECISIONS, 1.0)) == 1
    assert not tracker.observe(Finished("1", 1), NO_DECISIONS, 1.0)
    assert not tracker.observe(Cancelled("1"), NO_DECISIONS, 1.0)
