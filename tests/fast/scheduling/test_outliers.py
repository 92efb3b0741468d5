"""Ejection of replicas that fail or refuse, and their way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.scheduling import (
    AttemptFailed,
    Cancelled,
    Cause,
    Decision,
    Dispatch,
    Eject,
    Finished,
    Limits,
    OutlierDetection,
    Progressed,
    Reason,
    Refusal,
    Reinstate,
    Reject,
    ReplicaAsleep,
    ReplicaDown,
    ReplicaDraining,
    ReplicaResumed,
    ReplicaUp,
    State,
    Submitted,
    Woke,
    policy_names,
)
from tests.fast.scheduling.stories import MODEL, Story, request

THREE = Limits(outliers=OutlierDetection(consecutive_failures=3, base_ejection_s=2))


def of(kind: type[Decision], decisions: list[Decision]) -> list[Decision]:
    return [decision for decision in decisions if isinstance(decision, kind)]


def sent(decisions: list[Decision]) -> list[tuple[str, str]]:
    return [(d.request_id, d.replica_id) for d in decisions if isinstance(d, Dispatch)]


def fail(
    story: Story, replica_id: str, times: int, now: float = 0.0, cause: Cause = Cause.ERROR
) -> list[Decision]:
    """Attempts on the replica fail, one after the other; what was decided on the last."""
    decisions: list[Decision] = []
    for number in range(times):
        name = f"{replica_id}-{now}-{number}"
        running = sent(story.tell(Submitted(request(name, arrival=now)), now))
        while running and running[0][1] != replica_id:
            story.tell(Finished(name, 1), now)
            name += "+"
            running = sent(story.tell(Submitted(request(name, arrival=now)), now))
        decisions = story.tell(AttemptFailed(name, 1, cause=cause), now)
        story.tell(Cancelled(name), now)
    return decisions


def test_a_replica_is_ejected_after_several_failures_in_a_row() -> None:
    story = Story(2, max_running=9, limits=THREE)
    assert of(Eject, fail(story, "a", 2)) == []
    assert of(Eject, fail(story, "a", 1)) == [Eject("a", Reason.FAILURES, 2.0, 1)]
    chosen = [story.tell(Submitted(request(f"r{i}"))) for i in range(4)]
    assert [sent(each)[0][1] for each in chosen] == list("bbbb")
    record = story.scheduler.outlier_record("a")
    assert (record.state(0), record.reason) == (State.EJECTED, Reason.FAILURES)
    assert story.scheduler.outlier_record("b").state(0) is State.IN_SERVICE


def test_a_success_in_between_starts_the_count_again() -> None:
    story = Story(2, max_running=9, limits=THREE)
    fail(story, "a", 2)
    story.tell(Submitted(request("good")))
    story.tell(Finished("good", 1))
    story.tell(Submitted(request("good too")))
    story.tell(Finished("good too", 1))
    assert of(Eject, fail(story, "a", 2)) == []


def test_the_end_of_an_answer_from_before_is_no_success() -> None:
    """A replica that breaks may still end what it began while it was well."""
    story = Story(2, max_running=9, limits=THREE)
    story.tell(Submitted(request("old")), now=1)
    story.tell(Progressed("old", 1, 1), now=1)
    fail(story, "a", 2, now=2)
    story.tell(Finished("old", 1), now=2)
    assert of(Eject, fail(story, "a", 1, now=2)) == [Eject("a", Reason.FAILURES, 2.0, 1)]


@pytest.mark.parametrize("cause", [Cause.NOT_SENT, Cause.RECALLED])
def test_what_is_not_its_fault_does_not_count_as_failure(cause: Cause) -> None:
    story = Story(2, max_running=9, limits=THREE)
    for number in range(6):
        name = f"r{number}"
        story.tell(Submitted(request(name)))
        decisions = story.tell(AttemptFailed(name, 1, cause=cause))
        assert all(d.reason is not Reason.FAILURES for d in decisions if isinstance(d, Eject))
        story.tell(Cancelled(name))


def test_after_its_time_it_gets_one_request_and_comes_back_with_a_success() -> None:
    story = Story(2, max_running=9, limits=THREE)
    fail(story, "a", 3)
    assert sent(story.tell(Submitted(request("early", arrival=1.9)), 1.9)) == [("early", "b")]
    assert sent(story.tell(Submitted(request("trial", arrival=2)), 2)) == [("trial", "a")]
    assert story.scheduler.outlier_record("a").state(2) is State.ON_TRIAL
    assert sent(story.tell(Submitted(request("second", arrival=2)), 2)) == [("second", "b")]
    story.tell(Progressed("trial", 1, 1), 2.1)
    assert story.tell(Finished("trial", 1), 2.2) == [Reinstate("a")]
    chosen = [sent(story.tell(Submitted(request(f"r{i}", arrival=3)), 3)) for i in range(4)]
    assert {replica_id for [(_, replica_id)] in chosen} == {"a", "b"}


def test_each_failed_trial_makes_the_next_rest_longer_up_to_a_bound() -> None:
    limits = Limits(outliers=OutlierDetection(base_ejection_s=2, max_ejection_s=5))
    story = Story(2, max_running=9, limits=limits)
    fail(story, "a", 3)
    now, rests = 0.0, [2.0]
    for number in range(3):
        now += rests[-1]
        name = f"trial{number}"
        assert sent(story.tell(Submitted(request(name, arrival=now)), now)) == [(name, "a")]
        decisions = story.tell(AttemptFailed(name, 1), now)
        [ejected] = of(Eject, decisions)
        assert sent(decisions) == [(name, "b")]
        assert isinstance(ejected, Eject)
        rests.append(ejected.rest_s)
    assert rests == [2.0, 4.0, 5.0, 5.0]


def test_time_in_service_makes_the_next_rest_shorter() -> None:
    limits = Limits(outliers=OutlierDetection(base_ejection_s=1, interval_s=10))
    story = Story(2, max_running=9, limits=limits)
    fail(story, "a", 3)
    story.tell(Submitted(request("trial", arrival=5)), 5)
    story.tell(AttemptFailed("trial", 1), 5)
    story.tell(Cancelled("trial"), 5)
    story.tell(Submitted(request("again", arrival=8)), 8)
    story.tell(Finished("again", 1), 8)
    assert of(Eject, fail(story, "a", 3, now=9)) == [Eject("a", Reason.FAILURES, 3.0, 3)]
    story.tell(Submitted(request("third", arrival=13)), 13)
    story.tell(Finished("third", 1), 13)
    assert of(Eject, fail(story, "a", 3, now=34)) == [Eject("a", Reason.FAILURES, 2.0, 2)]


def test_a_trial_that_its_client_takes_back_says_nothing() -> None:
    story = Story(2, max_running=9, limits=THREE)
    fail(story, "a", 3)
    story.tell(Submitted(request("trial", arrival=2)), 2)
    assert of(Reinstate, story.tell(Cancelled("trial"), 2)) == []
    assert sent(story.tell(Submitted(request("next", arrival=2)), 2)) == [("next", "a")]


def test_a_request_in_a_hurry_is_no_trial_unless_no_other_comes() -> None:
    story = Story(2, max_running=9, limits=THREE)
    fail(story, "a", 3)
    hurried = [request(f"h{i}", arrival=t, ttft_s=0.25) for i, t in enumerate((2.0, 2.9, 3.0))]
    chosen = [sent(story.tell(Submitted(each), each.arrival)) for each in hurried]
    assert chosen == [[("h0", "b")], [("h1", "b")], [("h2", "a")]]


def test_a_request_that_only_warms_a_cache_is_a_trial_at_once() -> None:
    story = Story(2, max_running=9, limits=THREE)
    fail(story, "a", 3)
    warm = replace(request("warm", arrival=2, ttft_s=0.25), warm=True)
    assert sent(story.tell(Submitted(warm), 2)) == [("warm", "a")]


@pytest.mark.parametrize(
    ("replicas", "percent", "most"),
    [(1, 100, 0), (2, 50, 1), (3, 50, 2), (4, 50, 2), (5, 20, 1), (5, 100, 4), (4, 0, 0)],
)
def test_a_share_is_never_ejected(replicas: int, percent: float, most: int) -> None:
    limits = Limits(outliers=OutlierDetection(max_ejection_percent=percent))
    story = Story(replicas, max_running=9, limits=limits)
    ejected: list[Decision] = []
    for replica in "abcdef"[:replicas]:
        ejected += of(Eject, fail(story, replica, 3))
    assert len(ejected) == most


@pytest.mark.parametrize("leaves", [ReplicaDown("b"), ReplicaDraining("b"), ReplicaAsleep("b")])
def test_it_comes_back_where_it_is_the_last(
    leaves: ReplicaDown | ReplicaDraining | ReplicaAsleep,
) -> None:
    story = Story(2, max_running=9, limits=THREE)
    fail(story, "a", 3)
    assert story.tell(leaves) == [Reinstate("a")]
    assert sent(story.tell(Submitted(request("r")))) == [("r", "a")]


def test_it_comes_back_where_it_is_the_only_one_that_drains_no_longer() -> None:
    story = Story(2, max_running=9, limits=THREE)
    fail(story, "a", 3)
    for name in "ab":
        assert story.tell(ReplicaDraining(name)) == []
    assert story.tell(ReplicaResumed("a")) == [Reinstate("a")]
    assert sent(story.tell(Submitted(request("r")))) == [("r", "a")]


def test_a_request_that_fails_everywhere_is_not_held_against_the_replicas() -> None:
    """Its fault may be its own: an engine may answer 500 to what it should have refused."""
    story = Story(2, max_running=9, limits=Limits(retry_delay_s=0.0))
    decisions: list[Decision] = []
    for number in range(5):
        name = f"r{number}"
        story.tell(Submitted(request(name)))
        for attempt in (1, 2, 3):
            decisions += story.tell(AttemptFailed(name, attempt))
    assert len(of(Reject, decisions)) == 5
    assert of(Eject, decisions) == []


def test_nothing_is_ejected_where_that_is_switched_off() -> None:
    limits = Limits(outliers=OutlierDetection(consecutive_failures=0))
    story = Story(2, max_running=9, limits=limits)
    assert of(Eject, fail(story, "a", 20)) == []


@pytest.mark.parametrize("policy", sorted(policy_names()))
def test_every_policy_keeps_to_it(policy: str) -> None:
    """In a fleet that is too large for a policy to look at every replica."""
    story = Story(6, max_running=99, policy=policy, limits=THREE)
    ejected: set[str] = set()
    for number in range(300):
        now, name = number / 20, f"r{number}"
        for request_id, replica_id in sent(story.tell(Submitted(request(name, arrival=now)), now)):
            assert replica_id not in ejected or story.scheduler.outlier_record(replica_id).trial
            broken = replica_id in "ab"
            event = AttemptFailed(request_id, 1) if broken else Finished(request_id, 1)
            for decision in story.tell(event, now):
                if isinstance(decision, Eject):
                    ejected.add(decision.replica_id)
        story.tell(Cancelled(name), now)
    assert ejected <= {"a", "b"}


# -- back-pressure ---------------------------------------------------------------------------------


def busy(name: str, rest_s: float | None = 1.0, attempt: int = 1) -> AttemptFailed:
    return AttemptFailed(name, attempt, cause=Cause.BUSY, retry_after_s=rest_s)


def test_a_refused_request_goes_to_another_replica_at_once() -> None:
    story = Story(2, max_running=9)
    story.tell(Submitted(request("r")))
    assert story.tell(busy("r", 3)) == [Eject("a", Reason.BUSY, 3.0, 1), Dispatch("r", "b", 2)]


def test_it_waits_for_the_replica_while_its_deadline_allows() -> None:
    story = Story(1, max_running=9)
    story.tell(Submitted(request("r", ttft_s=10)))
    assert story.tell(busy("r", 3)) == [Eject("a", Reason.BUSY, 3.0, 1)]
    assert story.tell(Woke(), 2.9) == []
    assert story.tell(Woke(), 3.0) == [Dispatch("r", "a", 2)]
    assert story.tell(Progressed("r", 2, 1), 3.1) == [Reinstate("a")]


def test_refusals_use_up_no_attempts() -> None:
    story = Story(1, max_running=9, limits=Limits(max_attempts=2))
    story.tell(Submitted(request("r", ttft_s=100)))
    for number in range(1, 20):
        assert of(Reject, story.tell(busy("r", 1, number), number)) == []
        assert sent(story.tell(Woke(), number + 1)) == [("r", "a")]


def test_it_is_told_when_to_come_back_where_every_replica_refuses_beyond_its_deadline() -> None:
    story = Story(2, max_running=9)
    story.tell(Submitted(request("r", ttft_s=5)))
    story.tell(busy("r", 9))
    decisions = story.tell(busy("r", 7, 2), 1.0)
    assert decisions == [
        Eject("b", Reason.BUSY, 7.0, 1),
        Reject("r", Refusal.REPLICAS_BUSY, retry_after_s=7.0),
    ]
    [refused] = story.tell(Submitted(request("late", arrival=2, ttft_s=1)), 2.0)
    assert refused == Reject("late", Refusal.REPLICAS_BUSY, retry_after_s=6.0)
    assert story.tell(Submitted(request("patient", arrival=2, ttft_s=9)), 2.0) == []


def test_one_request_at_a_time_until_there_is_room_again() -> None:
    story = Story(1, max_running=9)
    for name in ("r1", "r2", "r3"):
        story.tell(Submitted(request(name, ttft_s=60)))
    for name in ("r1", "r2", "r3"):
        story.tell(busy(name, 1))
    assert sent(story.tell(Woke(), 1)) == [("r1", "a")]
    assert sent(story.tell(Woke(), 1.1)) == []
    assert sent(story.tell(Progressed("r1", 2, 1), 1.2)) == [("r2", "a"), ("r3", "a")]


def test_an_answer_that_ends_makes_room_before_the_rest_is_over() -> None:
    story = Story(1, max_running=9)
    story.tell(Submitted(request("running")))
    story.tell(Submitted(request("refused")))
    story.tell(busy("refused", 9))
    assert sent(story.tell(Finished("running", 1), 0.5)) == [("refused", "a")]


def test_a_replica_that_names_no_time_rests_longer_each_time() -> None:
    story = Story(1, max_running=9)
    story.tell(Submitted(request("r", ttft_s=100)))
    now, rests = 0.0, []
    for attempt in range(1, 5):
        [ejected] = of(Eject, story.tell(busy("r", None, attempt), now))
        assert isinstance(ejected, Eject)
        rests.append(ejected.rest_s)
        now += ejected.rest_s
        assert sent(story.tell(Woke(), now)) == [("r", "a")]
    assert rests == [1.0, 2.0, 3.0, 4.0]


def test_all_replicas_may_be_busy_at_once_but_not_ejected_for_failures() -> None:
    story = Story(2, max_running=9, limits=THREE)
    fail(story, "a", 3)
    story.tell(Submitted(request("r", ttft_s=60)))
    assert of(Eject, story.tell(busy("r", 20))) == [Eject("b", Reason.BUSY, 20.0, 1)]
    assert sent(story.tell(Woke(), 2)) == [], "it has had an attempt: it is no trial for a"
    assert sent(story.tell(Submitted(request("trial", arrival=2)), 2)) == [("trial", "a")]


def test_a_trial_that_finds_no_room_does_not_eject_the_last_replica_for_failures() -> None:
    story = Story(1, max_running=9, limits=THREE)
    story.tell(Submitted(request("r", ttft_s=60)))
    story.tell(busy("r", 1))
    story.tell(Woke(), 1)
    assert of(Eject, story.tell(AttemptFailed("r", 2), 1)) == [Eject("a", Reason.BUSY, 4.0, 2)]


@pytest.mark.parametrize(
    ("context", "adapters", "may"),
    [(None, (), True), (4096, (), True), (8192, ("lora",), True), (1024, (), False)],
)
def test_a_replica_that_no_other_can_stand_in_for_is_not_ejected(
    context: int | None, adapters: tuple[str, ...], may: bool
) -> None:
    story = Story(0, limits=THREE)
    story.tell(ReplicaUp("a", MODEL, 9, context=4096))
    story.tell(ReplicaUp("b", MODEL, 9, context=context, adapters=adapters))
    assert bool(of(Eject, fail(story, "a", 3))) is may
    if adapters:
        story.tell(Woke(), 30)
        assert of(Eject, fail(story, "b", 3, now=30)) == [], "it alone serves the adapter"
