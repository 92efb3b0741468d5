"""Requests for a model all of whose replicas sleep: held until one has woken, whatever happens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.scheduling import (
    Dispatch,
    Finished,
    Refusal,
    Reject,
    ReplicaAsleep,
    ReplicaDown,
    ReplicaResumed,
    Submitted,
    Woke,
)
from tests.fast.scheduling.stories import Story, request


@pytest.fixture
def story() -> Story:
    story = Story(1)
    story.tell(ReplicaAsleep("a"))
    return story


def test_a_request_waits_beyond_its_deadline_for_a_replica_that_is_woken(story: Story) -> None:
    assert story.tell(Submitted(request("r", ttft_s=2.0))) == []
    assert not story.scheduler.starves
    assert story.tell(Woke(), now=5.0) == []
    assert story.tell(ReplicaResumed("a"), now=6.0) == [Dispatch("r", "a", 1)]


def test_what_is_worthless_by_then_is_refused(story: Story) -> None:
    story.tell(Submitted(request("r", ttft_s=0.25, worthless_after_s=0.5)))
    assert story.tell(Woke(), now=0.6) == [Reject("r", Refusal.EXPIRED)]


def test_one_that_dies_asleep_leaves_nothing_to_wait_for(story: Story) -> None:
    story.tell(Submitted(request("r", ttft_s=2.0)))
    story.tell(Woke(), now=3.0)
    assert story.tell(ReplicaDown("a"), now=4.0) == [Reject("r", Refusal.NO_REPLICA)]


def test_nothing_is_sent_to_a_replica_that_sleeps(story: Story) -> None:
    two = Story(2)
    two.tell(ReplicaAsleep("a"))
    assert two.tell(Submitted(request("1"))) == [Dispatch("1", "b", 1)]
    assert two.tell(Submitted(request("2"))) == []
    assert two.tell(Finished("1", 1)) == [Dispatch("2", "b", 1)]


def test_a_replica_that_sleeps_forgets_what_it_has_cached() -> None:
    """Of two replicas the one with the prefix is chosen, unless it has slept since."""
    story = Story(2, max_running=4, policy="prefix-affinity")
    blocks = tuple(range(1, 40))

    def asked(name: str) -> str:
        made = story.tell(Submitted(replace(request(name), prompt_blocks=blocks)))
        (dispatch,) = [each for each in made if isinstance(each, Dispatch)]
        story.tell(Finished(name, 1))
        return dispatch.replica_id

    first = asked("1")
    assert asked("2") == first
    cached = story.scheduler.handle(Submitted(replace(request("3"), prompt_blocks=blocks)), 0.0)
    assert cached
    load = story.scheduler.replica(first)
    assert load is not None
    assert load.attempts["3"].cached_tokens > 0
    story.tell(Finished("3", 1))
    story.tell(ReplicaAsleep(first))
    story.tell(ReplicaResumed(first))
    story.tell(Submitted(replace(request("4"), prompt_blocks=blocks)))
    loads = [load for load in story.scheduler.replicas if "4" in load.attempts]
    assert [load.attempts["4"].cached_tokens for load in loads] == [0]
