"""Replicas that die: whose fault it was, and whose it was not."""

from __future__ import annotations

import pytest

from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Decision,
    Dispatch,
    Finished,
    Limits,
    Progressed,
    Refusal,
    Reject,
    ReplicaDown,
    ReplicaUp,
    Submitted,
    Woke,
)
from tests.fast.scheduling.stories import MODEL, Story, request


def sent(decisions: list[Decision]) -> list[tuple[str, str]]:
    return [(d.request_id, d.replica_id) for d in decisions if isinstance(d, Dispatch)]


def refused(decisions: list[Decision]) -> list[tuple[str, Refusal]]:
    return [(d.request_id, d.refusal) for d in decisions if isinstance(d, Reject)]


def test_the_death_of_a_replica_is_charged_to_none_that_ran_on_it() -> None:
    story = Story(3, limits=Limits(max_attempts=1, max_wait_s=600))
    story.tell(Submitted(request("r", ttft_s=500)))
    story.tell(Progressed("r", 1, 1))
    for attempt, replica_id in enumerate("abc", start=1):
        decisions = story.tell(ReplicaDown(replica_id))
        assert refused(decisions) == []
        story.tell(Progressed("r", attempt + 1, 1))


def test_a_request_that_was_being_started_on_two_replicas_as_they_died_is_refused() -> None:
    story = Story(3)
    story.tell(Submitted(request("poison")))
    assert sent(story.tell(ReplicaDown("a"))) == [("poison", "b")]
    decisions = story.tell(ReplicaDown("b"))
    assert decisions == [Abort("poison", 2), Reject("poison", Refusal.REPLICAS_DIED)]


def test_a_token_also_clears_of_a_death_that_is_only_seen_later() -> None:
    """Its attempt fails on `a`, which turns out to be dead after the token and another death."""
    story = Story(3, max_running=9)
    story.tell(Submitted(request("r")))
    story.tell(AttemptFailed("r", 1, resumable=True))
    story.tell(Progressed("r", 2, 1))
    story.tell(ReplicaDown("b"))
    assert refused(story.tell(ReplicaDown("c"))) == []
    assert refused(story.tell(ReplicaDown("a"))) == []


def test_a_token_in_between_proves_it_innocent() -> None:
    story = Story(3, max_running=9)
    story.tell(Submitted(request("r")))
    story.tell(ReplicaDown("a"))
    story.tell(Progressed("r", 2, 1))
    assert refused(story.tell(ReplicaDown("b"))) == []
    story.tell(ReplicaUp("d", MODEL, 9))
    assert refused(story.tell(ReplicaDown("c"))) == []


def test_of_many_that_were_being_started_only_the_culprit_is_refused() -> None:
    """A replica starts one suspect at a time, so that the second death names it."""
    story = Story(1, max_running=99)
    names = [f"r{number}" for number in range(10)]
    for name in names:
        story.tell(Submitted(request(name, ttft_s=900)))
    story.tell(ReplicaDown("a"))
    ended: list[str] = []
    out: list[tuple[str, Refusal]] = []
    attempts = dict.fromkeys(names, 1)
    for life in range(20):
        replica_id = f"x{life}"
        running = sent(story.tell(ReplicaUp(replica_id, MODEL, 99)))
        while running:
            assert len(running) == 1, "suspects are started together"
            [(name, _)] = running
            attempts[name] += 1
            if name == "r4":
                out += refused(story.tell(ReplicaDown(replica_id)))
                break
            running = sent(story.tell(Progressed(name, attempts[name], 1)))
            running += sent(story.tell(Finished(name, attempts[name])))
            ended.append(name)
        if len(ended) == 9:
            break
    assert out == [("r4", Refusal.REPLICAS_DIED)]
    assert sorted(ended) == [name for name in names if name != "r4"]


def test_suspects_are_started_side_by_side_on_different_replicas() -> None:
    story = Story(3, max_running=9)
    names = [story.tell(Submitted(request(name))) for name in ("r0", "r1", "r2", "r3", "r4", "r5")]
    lost = [name for name, replica_id in (sent(each)[0] for each in names) if replica_id == "a"]
    assert len(lost) == 2
    assert {replica_id for _, replica_id in sent(story.tell(ReplicaDown("a")))} == {"b", "c"}


def test_others_do_not_wait_for_suspects() -> None:
    story = Story(2, max_running=9)
    story.tell(Submitted(request("poison")))
    story.tell(ReplicaDown("a"))
    assert sent(story.tell(Submitted(request("new")))) == [("new", "b")]
    assert refused(story.tell(ReplicaDown("b"))) == [("poison", Refusal.REPLICAS_DIED)]


def test_an_engine_that_dies_behind_a_server_that_lives_is_a_death_too() -> None:
    """Its streams break together, and new requests get errors, before its process has ended."""
    story = Story(3, max_running=9, limits=Limits(max_attempts=1))
    for name in ("stream1", "x", "y", "stream2", "p", "q", "poison"):
        story.tell(Submitted(request(name)))
    on_a = ["stream1", "stream2", "poison"]
    for name in on_a[:2]:
        story.tell(Progressed(name, 1, 1))
    decisions = [story.tell(AttemptFailed(name, 1), 0.01) for name in on_a[:1]]
    assert refused(decisions[0]) == [("stream1", Refusal.REPLICA_FAILED)], "the first is alone yet"
    decisions = [story.tell(AttemptFailed(name, 1), 0.02) for name in on_a[1:]]
    assert [refused(each) for each in decisions] == [[], []]


def test_what_failed_shortly_before_its_replica_died_failed_because_of_it() -> None:
    story = Story(3, max_running=9, limits=Limits(max_attempts=2))
    story.tell(Submitted(request("poison")))
    assert sent(story.tell(AttemptFailed("poison", 1), 1.0)) == [("poison", "b")]
    assert refused(story.tell(ReplicaDown("a"), 1.5)) == []
    assert sent(story.tell(AttemptFailed("poison", 2), 2.0)) == [("poison", "c")]
    decisions = story.tell(ReplicaDown("b"), 2.2)
    assert decisions == [Abort("poison", 3), Reject("poison", Refusal.REPLICAS_DIED)]


def test_what_failed_long_before_failed_by_itself() -> None:
    story = Story(2, limits=Limits(max_attempts=2))
    story.tell(Submitted(request("r")))
    story.tell(AttemptFailed("r", 1), 1.0)
    story.tell(ReplicaDown("a"), 9.0)
    assert refused(story.tell(AttemptFailed("r", 2), 9.5)) == [("r", Refusal.REPLICA_FAILED)]


@pytest.mark.parametrize("starts", [True, False])
def test_even_an_innocent_request_is_not_begun_for_ever(starts: bool) -> None:
    story = Story(0, limits=Limits(max_wait_s=10_000))
    story.tell(Submitted(request("r", ttft_s=9_000)))
    for life in range(9):
        attempt = life + 1
        assert sent(story.tell(ReplicaUp(f"x{life}", MODEL, 9))) == [("r", f"x{life}")]
        if starts:
            story.tell(Progressed("r", attempt, 1))
        decisions = story.tell(ReplicaDown(f"x{life}"))
        if refused(decisions):
            break
    assert life == (4 if starts else 1)


def test_a_suspect_that_waits_behind_another_leaves_the_queue_in_time() -> None:
    story = Story(1, max_running=9)
    for name in ("r0", "r1"):
        story.tell(Submitted(request(name, ttft_s=5, worthless_after_s=6)))
    story.tell(ReplicaDown("a"))
    assert sent(story.tell(ReplicaUp("b", MODEL, 9))) == [("r0", "b")]
    assert refused(story.tell(Woke(), 6.0)) == [("r1", Refusal.EXPIRED)]
