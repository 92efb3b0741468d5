"""Replicas of one model that differ: in their context, and in the adapters that they have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.requests import Request
from cato_backend.scheduling import (
    AttemptFailed,
    Dispatch,
    Finished,
    Progressed,
    Refusal,
    Reject,
    ReplicaChanged,
    ReplicaDown,
    ReplicaDraining,
    ReplicaResumed,
    ReplicaUp,
    Submitted,
    Woke,
)
from tests.fast.scheduling.stories import MODEL, Story, request

POLICIES = ["round-robin", "least-outstanding-tokens", "prefix-affinity", "cato"]


def needing(name: str, context_tokens: int, adapter: str = "", ttft_s: float = 10.0) -> Request:
    made = request(name, ttft_s=ttft_s)
    return replace(made, context_tokens=context_tokens, adapter=adapter)


def mixed(policy: str = "round-robin", small: int = 1) -> Story:
    """Replicas of a small context, and `z` of a large one that has an adapter."""
    story = Story(0, policy=policy)
    for number in range(small):
        story.tell(ReplicaUp(f"s{number:02}", MODEL, 2, context=1000))
    story.tell(ReplicaUp("z", MODEL, 2, context=9000, adapters=("lora",)))
    return story


def where(story: Story, asked: Request) -> str | None:
    """The replica that it is sent to at once."""
    sent = [each for each in story.tell(Submitted(asked)) if isinstance(each, Dispatch)]
    return sent[0].replica_id if sent else None


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("small", [1, 12])
def test_a_request_goes_where_it_fits(policy: str, small: int) -> None:
    """In large fleets, too, of which a policy looks at a part."""
    story = mixed(policy, small)
    assert where(story, needing("long", 5000)) == "z"
    assert where(story, needing("adapted", 10, "lora")) == "z"
    assert where(story, needing("short", 1000)) is not None


def test_it_waits_for_room_where_it_fits() -> None:
    story = mixed()
    for number in range(2):
        assert where(story, needing(f"l{number}", 5000)) == "z"
    assert where(story, needing("waits", 5000)) is None
    assert where(story, needing("passes", 1000)) == "s00"
    assert story.tell(Finished("l0", 1)) == [Dispatch("waits", "z", 1)]


def test_what_fits_nowhere_has_no_replica_at_its_deadline() -> None:
    story = mixed()
    assert where(story, needing("never", 10_000, ttft_s=5.0)) is None
    assert where(story, needing("unknown", 1, "other", ttft_s=5.0)) is None
    assert story.tell(Woke(), now=5.0) == [
        Reject("never", Refusal.NO_REPLICA),
        Reject("unknown", Refusal.NO_REPLICA),
    ]


def test_what_a_replica_says_later_counts() -> None:
    story = mixed()
    assert where(story, needing("r", 5000, "lora")) == "z"
    assert where(story, needing("q", 20_000, "sql")) is None
    assert story.tell(ReplicaChanged("s00", 20_000, ("sql",))) == [Dispatch("q", "s00", 1)]
    story.tell(ReplicaChanged("z", 1000, ()))
    assert where(story, needing("late", 5000, "lora", ttft_s=3.0)) is None


def test_the_wait_of_the_late_ends_when_what_fits_them_goes() -> None:
    story = mixed()
    for number in range(2):
        where(story, needing(f"l{number}", 5000))
    assert where(story, needing("waits", 5000, ttft_s=1.0)) is None
    assert story.tell(Woke(), now=2.0) == [], "it has a replica, which is busy"
    assert Reject("waits", Refusal.NO_REPLICA) in story.tell(ReplicaDraining("z"), now=2.1)


def test_what_failed_where_it_fits_is_tried_there_again() -> None:
    """The others, which have not failed it, cannot take it."""
    story = mixed()
    where(story, needing("r", 5000))
    assert story.tell(AttemptFailed("r", 1), now=1.0) == []
    assert story.tell(Woke(), now=2.0) == [Dispatch("r", "z", 2)]


def test_an_answer_that_outgrew_its_estimate_is_continued_where_it_fits() -> None:
    story = mixed()
    story.tell(ReplicaDraining("z"))
    assert where(story, needing("r", 900)) == "s00"
    story.tell(ReplicaResumed("z"))
    story.tell(Progressed("r", 1, 150))
    story.tell(ReplicaUp("a", MODEL, 2, context=1000))
    assert Dispatch("r", "z", 2) in story.tell(ReplicaDown("s00"))


def test_a_replica_that_resumes_takes_requests_again() -> None:
    story = Story(1)
    story.tell(ReplicaDraining("a"))
    assert story.tell(Submitted(request("r"))) == []
    assert story.scheduler.starves
    assert story.tell(ReplicaResumed("a")) == [Dispatch("r", "a", 1)]
    assert not story.scheduler.starves
    story.tell(ReplicaResumed("a"))
    story.tell(ReplicaResumed("gone"))
    story.tell(Finished("r", 1))
    assert story.tell(Submitted(request("next"))) == [Dispatch("next", "a", 1)]


def test_a_request_without_a_fitting_replica_starves() -> None:
    story = mixed()
    where(story, needing("r", 9000))
    assert not story.scheduler.starves
    where(story, needing("q", 9001))
    assert story.scheduler.starves
