"""Whose request goes when the queue is full: of those who have most."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cato_backend.requests import Origin
from cato_backend.scheduling import Finished, Limits, Refusal, Reject, ReplicaDown, Submitted
from cato_backend.scheduling.waiting_room import Backlog, ServiceRate
from tests.fast.scheduling.stories import MODEL, Story, request

FULL = Limits(max_waiting=4)


def submitted(story: Story, *names: str) -> list[Reject]:
    """`alice/editor/1` is the first request of that session of that token."""
    rejects = []
    for name in names:
        tenant, session, _ = name.split("/")
        told = story.tell(Submitted(request(name, tenant=tenant, session=session)))
        rejects += [each for each in told if isinstance(each, Reject)]
    return rejects


def refused(rejects: list[Reject]) -> list[str]:
    assert all(each.refusal is Refusal.OVERLOADED for each in rejects)
    assert all(each.retry_after_s > 0 for each in rejects)
    return [each.request_id for each in rejects]


def test_a_flood_makes_room_for_others_its_newest_first() -> None:
    story = Story(limits=FULL)
    assert submitted(story, *(f"a/x/{n}" for n in range(5))) == []
    assert refused(submitted(story, "a/x/5")) == ["a/x/5"]
    assert refused(submitted(story, "b/x/0", "b/x/1", "b/x/2")) == ["a/x/4", "a/x/3", "b/x/2"]
    assert story.scheduler.waiting(MODEL) == 4


def test_among_the_sessions_of_a_token_too() -> None:
    story = Story(limits=FULL)
    submitted(story, *(f"a/x/{n}" for n in range(5)))
    assert refused(submitted(story, "a/y/0", "a/y/1", "a/y/2")) == ["a/x/4", "a/x/3", "a/y/2"]


def test_the_token_counts_before_its_sessions() -> None:
    """Many sessions of one token are one flood."""
    story = Story(limits=FULL)
    submitted(story, *(f"a/s{n}/0" for n in range(5)))
    (victim,) = refused(submitted(story, "b/x/0"))
    assert victim.startswith("a/")


def test_only_named_sessions_are_bounded() -> None:
    story = Story(limits=Limits(max_waiting_per_session=2))
    assert submitted(story, *(f"a//{n}" for n in range(100))) == []
    assert refused(submitted(story, *(f"a/x/{n}" for n in range(3)))) == ["a/x/2"]


def test_what_has_been_tried_keeps_its_place() -> None:
    """Its client may have seen a part of the answer."""
    story = Story(replicas=2, limits=Limits(max_waiting=1))
    submitted(story, "a/x/0", "a/x/1")
    story.tell(ReplicaDown("a"))
    assert story.scheduler.waiting(MODEL) == 1
    assert refused(submitted(story, "b/x/0")) == ["b/x/0"]


def test_the_queue_is_bounded_by_the_time_that_it_would_take() -> None:
    """A replica that finishes one a second empties a queue of 30 in 30 seconds."""
    story = Story(limits=Limits(max_wait_s=30))
    submitted(story, *(f"a/x/{n}" for n in range(50)))
    assert story.scheduler.waiting(MODEL) == 49, "nothing is known yet"
    for second in range(1, 21):
        story.tell(Finished(f"a/x/{second - 1}", 1), now=float(second))
    assert story.scheduler.waiting(MODEL) == 29
    assert submitted(story, "a/x/50") == []
    (reject,) = submitted(story, "a/x/51")
    assert reject.request_id == "a/x/51"
    assert 14 < reject.retry_after_s < 16, "until half of them are served"


def test_an_idle_fleet_says_nothing_of_its_pace() -> None:
    pace = ServiceRate()
    for minute in range(10):
        pace.left(60.0 * minute, waiting=0)
    assert pace.empties_in(1000) == 0
    for tenth in range(10):
        pace.left(1000 + tenth / 10, waiting=5)
    assert 0.99 < pace.empties_in(10) < 1.01


ORIGINS = st.builds(Origin, st.sampled_from("abc"), st.sampled_from(["", "x", "y"]))


@given(st.lists(ORIGINS, max_size=60))
def test_flows_that_ask_without_end_get_equal_places(origins: list[Origin]) -> None:
    """Each drop takes from the longest, so that no two tokens end more than one apart, if both had
    asked often enough."""
    backlog, most = Backlog(), 12
    queued: dict[str, Origin] = {}
    asked: Counter[str] = Counter()
    for number, origin in enumerate([*origins, *[Origin(t, "x") for t in "abc"] * most]):
        asked[origin.tenant] += 1
        new = request(str(number), tenant=origin.tenant, session=origin.session)
        if len(queued) >= most:
            longest = backlog.longest(origin)
            if not longest:
                continue
            victim = longest[0]
            gone = queued.pop(victim)
            backlog.remove(request(victim, tenant=gone.tenant, session=gone.session))
        backlog.add(new)
        queued[new.id] = new.origin
    counts = Counter(origin.tenant for origin in queued.values())
    assert sum(counts.values()) == most
    assert max(counts.values()) - min(counts[tenant] for tenant in "abc") <= 1
