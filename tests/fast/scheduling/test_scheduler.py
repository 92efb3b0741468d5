"""The scheduling core, story by story."""

from __future__ import annotations

import pytest

from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Cancelled,
    Dispatch,
    Finished,
    Limits,
    OthersRunning,
    Progressed,
    Refusal,
    Reject,
    ReplicaDown,
    ReplicaUp,
    Scheduler,
    Submitted,
    WakeAt,
    Woke,
    make_policy,
)
from tests.fast.scheduling.stories import MODEL, Story, request


def test_a_request_goes_to_a_replica_with_room_and_the_next_waits_for_it() -> None:
    story = Story()
    assert story.tell(Submitted(request("r1"))) == [Dispatch("r1", "a", 1)]
    assert story.tell(Submitted(request("r2"))) == []
    assert story.scheduler.waiting(MODEL) == 1
    assert story.tell(Finished("r1", 1)) == [Dispatch("r2", "a", 1)]


def test_round_robin_takes_each_replica_in_turn() -> None:
    story = Story(3, max_running=9)
    chosen = [story.tell(Submitted(request(f"r{i}"))) for i in range(6)]
    assert [d.replica_id for [d] in chosen if isinstance(d, Dispatch)] == list("abcabc")


def test_least_outstanding_tokens_sees_what_was_emitted_and_prefilled() -> None:
    story = Story(2, max_running=9, policy="least-outstanding-tokens")
    story.tell(Submitted(request("big", prompt_tokens=500)))
    assert story.tell(Submitted(request("small"))) == [Dispatch("small", "b", 1)]
    story.tell(Progressed("big", 1, tokens=3))
    owed = {r.replica_id: r.outstanding_tokens for r in story.scheduler.replicas}
    assert owed == {"a": 7, "b": 110}
    assert story.tell(Submitted(request("next"))) == [Dispatch("next", "a", 1)]


def test_a_newer_request_of_the_document_replaces_the_queued_and_the_running_one() -> None:
    story = Story()
    story.tell(Submitted(request("running", document="d")))
    story.tell(Submitted(request("queued", document="d")))
    story.tell(Submitted(request("elsewhere", document="other")))
    assert story.tell(Submitted(request("new", document="d", supersede=True))) == [
        Abort("running", 1),
        Reject("running", Refusal.SUPERSEDED),
        Reject("queued", Refusal.SUPERSEDED),
        Dispatch("elsewhere", "a", 1),
    ]


@pytest.mark.parametrize(
    ("document", "session"), [("d", "other session"), ("other document", "s"), ("", "s")]
)
def test_supersession_stays_within_session_and_document(document: str, session: str) -> None:
    story = Story(max_running=9)
    story.tell(Submitted(request("old", document="d")))
    new = request("new", document=document, session=session, supersede=True)
    assert story.tell(Submitted(new)) == [Dispatch("new", "a", 1)]


def test_requests_without_a_document_never_replace_each_other() -> None:
    story = Story(max_running=9)
    story.tell(Submitted(request("old", supersede=True)))
    assert story.tell(Submitted(request("new", supersede=True))) == [Dispatch("new", "a", 1)]


def test_a_dead_replica_hands_its_requests_to_another() -> None:
    story = Story(2)
    story.tell(Submitted(request("r")))
    assert story.tell(ReplicaDown("a")) == [Abort("r", 1), Dispatch("r", "b", 2)]


def test_a_failed_attempt_avoids_the_replica_that_failed_it() -> None:
    story = Story(2, max_running=1)
    story.tell(Submitted(request("r")))
    story.tell(Submitted(request("busy")))
    assert story.tell(AttemptFailed("r", 1)) == []  # a has room, but has failed it
    assert story.tell(Finished("busy", 1)) == [Dispatch("r", "b", 2)]


def test_a_replica_that_failed_it_is_used_after_a_rest_when_there_is_no_other() -> None:
    story = Story(limits=Limits(max_attempts=3, retry_delay_s=0.5))
    story.tell(Submitted(request("r")))
    assert story.tell(AttemptFailed("r", 1), now=1.0) == []
    assert story.tell(Woke(), now=1.4) == []
    assert story.tell(Woke(), now=1.5) == [Dispatch("r", "a", 2)]
    assert story.tell(AttemptFailed("r", 2), now=2.0) == []
    assert story.tell(Woke(), now=2.9) == []
    assert story.tell(Woke(), now=3.0) == [Dispatch("r", "a", 3)]
    assert story.tell(AttemptFailed("r", 3)) == [Reject("r", Refusal.REPLICA_FAILED)]


def test_a_replica_that_proves_dead_during_the_rest_costs_no_attempt() -> None:
    story = Story()
    story.tell(Submitted(request("r")))
    story.tell(AttemptFailed("r", 1), now=1.0)
    story.tell(ReplicaDown("a"), now=1.1)
    assert story.tell(Woke(), now=9.0) == []
    assert story.tell(ReplicaUp("a", MODEL, 1), now=9.5) == [Dispatch("r", "a", 2)]


@pytest.mark.parametrize(("by_request", "by_stream"), [(False, True), (True, False)])
def test_a_stream_that_cannot_be_continued_ends_once_something_was_sent(
    by_request: bool, by_stream: bool
) -> None:
    story = Story(2)
    story.tell(Submitted(request("r", resumable=by_request)))
    story.tell(Progressed("r", 1, tokens=1))
    failed = AttemptFailed("r", 1, resumable=by_stream)
    assert story.tell(failed) == [Reject("r", Refusal.REPLICA_FAILED)]


def test_a_resumed_request_owes_only_what_is_left() -> None:
    story = Story(2)
    story.tell(Submitted(request("r")))
    story.tell(Progressed("r", 1, tokens=4))
    assert story.tell(AttemptFailed("r", 1)) == [Dispatch("r", "b", 2)]
    owed = {r.replica_id: r.outstanding_tokens for r in story.scheduler.replicas}
    assert owed == {"a": 0, "b": 104 + 6}  # prompt and what was emitted are prefilled again


def test_what_has_begun_waits_for_a_replica_beyond_its_first_deadline() -> None:
    story = Story(limits=Limits(max_wait_s=60))
    story.tell(Submitted(request("r", ttft_s=1)))
    story.tell(Progressed("r", 1, tokens=1), now=0.5)
    assert story.tell(ReplicaDown("a"), now=5) == [Abort("r", 1)]
    assert story.tell(Woke(), now=64.9) == []
    assert story.tell(ReplicaUp("a", MODEL, 1), now=64.9) == [Dispatch("r", "a", 2)]


def test_without_a_replica_it_is_held_until_its_deadline() -> None:
    story = Story(0)
    story.tell(Submitted(request("r", ttft_s=2)))
    assert story.tell(Woke(), now=1.9) == []
    assert story.tell(Woke(), now=2) == [Reject("r", Refusal.NO_REPLICA)]


def test_what_is_late_already_has_nothing_to_wait_for_when_the_last_replica_goes() -> None:
    story = Story()
    story.tell(Submitted(request("running", resumable=False)))
    story.tell(Progressed("running", 1, tokens=1))
    story.tell(Submitted(request("late", ttft_s=1)))
    story.tell(Woke(), now=1)
    assert story.tell(ReplicaDown("a"), now=3) == [
        Abort("running", 1),
        Reject("running", Refusal.REPLICA_FAILED),
        Reject("late", Refusal.NO_REPLICA),
    ]


def test_a_replica_in_time_serves_what_was_held() -> None:
    story = Story(0)
    story.tell(Submitted(request("r", ttft_s=2)))
    assert story.tell(ReplicaUp("a", MODEL, 1), now=1.9) == [Dispatch("r", "a", 1)]


def test_a_worthless_request_leaves_the_queue_and_a_late_one_stays() -> None:
    story = Story()
    story.tell(Submitted(request("running")))
    story.tell(Submitted(request("completion", ttft_s=0.25, worthless_after_s=0.5)))
    story.tell(Submitted(request("generation", ttft_s=0.25)))
    assert story.tell(Woke(), now=0.5) == [Reject("completion", Refusal.EXPIRED)]
    assert story.tell(Finished("running", 1), now=9) == [Dispatch("generation", "a", 1)]


def test_nothing_waits_longer_than_the_limit() -> None:
    story = Story(limits=Limits(max_wait_s=5))
    story.tell(Submitted(request("running")))
    story.tell(Submitted(request("r")))
    assert story.tell(Woke(), now=5) == [Reject("r", Refusal.EXPIRED)]


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    story = Story(limits=Limits(max_waiting=1))
    for name in ("running", "queued"):
        story.tell(Submitted(request(name)))
    [refused] = story.tell(Submitted(request("too many")))
    assert isinstance(refused, Reject)
    assert refused.refusal is Refusal.OVERLOADED
    assert refused.retry_after_s > 0


def test_one_session_cannot_take_the_whole_queue() -> None:
    story = Story(limits=Limits(max_waiting=100, max_waiting_per_session=2))
    for name in ("running", "q1", "q2"):
        story.tell(Submitted(request(name, session="greedy")))
    assert story.tell(Submitted(request("q3", session="greedy"))) == [
        Reject("q3", Refusal.OVERLOADED, retry_after_s=1.0)
    ]
    assert story.tell(Submitted(request("other", session="modest"))) == []
    story.tell(Cancelled("q1"))
    assert story.tell(Submitted(request("q4", session="greedy"))) == []


def test_cancelling_frees_the_replica_or_the_queue() -> None:
    story = Story()
    story.tell(Submitted(request("running")))
    story.tell(Submitted(request("queued")))
    assert story.tell(Cancelled("queued")) == []
    assert story.tell(Cancelled("running")) == [Abort("running", 1)]
    assert story.scheduler.replicas[0].outstanding_tokens == 0
    assert story.tell(Cancelled("running")) == []


def test_events_of_an_attempt_that_is_over_are_ignored() -> None:
    story = Story(2)
    story.tell(Submitted(request("r")))
    story.tell(ReplicaDown("a"))
    for stale in (Finished("r", 1), AttemptFailed("r", 1), Progressed("r", 1, tokens=5)):
        assert story.tell(stale) == []
    assert story.scheduler.replicas[0].outstanding_tokens == 110


def test_an_id_in_use_is_refused() -> None:
    story = Story()
    story.tell(Submitted(request("r")))
    with pytest.raises(ValueError, match="in use"):
        story.tell(Submitted(request("r")))


def test_the_alarm_is_announced_once_and_again_when_it_changes() -> None:
    scheduler = Scheduler(make_policy("round-robin"))
    first = scheduler.handle(Submitted(request("late", ttft_s=9)), 0)
    assert first == [WakeAt(9)]
    assert scheduler.handle(Submitted(request("later", ttft_s=10)), 0) == []
    assert scheduler.handle(Submitted(request("soon", ttft_s=1)), 0) == [WakeAt(1)]
    assert scheduler.handle(Woke(), 1) == [Reject("soon", Refusal.NO_REPLICA), WakeAt(9)]


def test_a_request_that_left_the_queue_has_no_alarm() -> None:
    scheduler = Scheduler(make_policy("round-robin"))
    scheduler.handle(ReplicaUp("a", MODEL, 1), 0)
    assert scheduler.handle(Submitted(request("sent", ttft_s=1)), 0) == [Dispatch("sent", "a", 1)]
    assert scheduler.handle(Submitted(request("queued", ttft_s=9)), 0) == [WakeAt(9)]
    assert scheduler.handle(Cancelled("queued"), 0) == []


def test_others_take_slots_but_never_the_last() -> None:
    story = Story(max_running=3)
    story.tell(OthersRunning("a", 1_000_000))
    assert story.tell(Submitted(request("r1"))) == [Dispatch("r1", "a", 1)]
    assert story.tell(Submitted(request("r2"))) == []
    assert story.scheduler.load(MODEL) == 1
    assert story.tell(OthersRunning("a", 0)) == [Dispatch("r2", "a", 1)]
    assert story.scheduler.load(MODEL) == 2 / 3
    assert story.tell(OthersRunning("gone", 3)) == []


def test_those_already_there_stay_when_others_come() -> None:
    story = Story(max_running=2)
    for name in ("r1", "r2"):
        story.tell(Submitted(request(name)))
    assert story.tell(OthersRunning("a", 2)) == []
    story.tell(Submitted(request("r3")))
    assert story.tell(Finished("r1", 1)) == []
    assert story.tell(Finished("r2", 1)) == [Dispatch("r3", "a", 1)]
