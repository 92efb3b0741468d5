"""CATO's own policy, mechanism by mechanism."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Request, Target
from cato_backend.scheduling import (
    Decision,
    Dispatch,
    Event,
    Finished,
    Limits,
    Progressed,
    ReplicaUp,
    Scheduler,
    Setup,
    Submitted,
    Woke,
    make_policy,
)
from cato_backend.scheduling.policies.cato import MECHANISMS, RELEGATED_PRIORITY, CatoOptions
from cato_backend.wire.headers import Task
from tests.fast.scheduling.stories import MODEL, request

PROFILE = Profile(
    MODEL,
    "emulated",
    StepLaw("additive", base=0.020, per_new_token=0.0001),
    EngineLimits(max_num_seqs=32),
)


class Fleet:
    """Replicas `a`, `b`, ... of the reference profile under `cato`."""

    def __init__(
        self, replicas: int = 1, setup: Setup | None = None, profile: Profile = PROFILE
    ) -> None:
        limits = Limits(max_waiting=10_000, max_waiting_per_session=10_000)
        self.scheduler = Scheduler(make_policy("cato", setup), limits)
        for name in "abcdef"[:replicas]:
            self.scheduler.handle(ReplicaUp(name, MODEL, 32, profile), 0.0)

    def tell(self, event: Event, now: float = 0.0) -> list[Dispatch]:
        """What is dispatched because of it."""
        return dispatches(self.scheduler.handle(event, now))

    def begin(self, dispatch: Dispatch, now: float) -> list[Dispatch]:
        """The first token comes."""
        return self.tell(Progressed(dispatch.request_id, dispatch.attempt, 1), now)


def dispatches(decisions: list[Decision]) -> list[Dispatch]:
    return [decision for decision in decisions if isinstance(decision, Dispatch)]


def completion(name: str, *blocks: int, arrival: float = 0.0, tokens: int = 500) -> Request:
    return replace(
        request(name, arrival=arrival, ttft_s=0.25, worthless_after_s=0.5, prompt_tokens=tokens),
        task=Task.COMPLETION,
        prompt_blocks=blocks,
    )


def summary(name: str, arrival: float = 0.0, e2e_s: float = 3.0) -> Request:
    asked = request(name, arrival=arrival)
    return replace(asked, task=Task.SUMMARIZATION, target=Target(e2e_s=e2e_s))


def test_a_request_is_bound_late_and_the_more_urgent_goes_first() -> None:
    fleet = Fleet()
    [first] = fleet.tell(Submitted(request("long", ttft_s=5, prompt_tokens=4000)))
    assert fleet.tell(Submitted(request("patient", ttft_s=5, prompt_tokens=6000))) == []
    urgent = request("urgent", ttft_s=2, prompt_tokens=3500)
    assert fleet.tell(Submitted(urgent), now=0.01) == []
    bound = fleet.begin(first, now=0.42)
    assert [dispatch.request_id for dispatch in bound] == ["urgent"]


def test_it_returns_to_the_replica_that_holds_its_prompt() -> None:
    fleet = Fleet(2)
    blocks = tuple(range(10))
    [first] = fleet.tell(Submitted(completion("first", *blocks)))
    fleet.begin(first, now=0.1)
    [other] = fleet.tell(Submitted(completion("other", 99, tokens=100)), now=0.2)
    assert other.replica_id != first.replica_id
    fleet.begin(other, now=0.25)
    [second] = fleet.tell(Submitted(completion("second", *blocks, 10, arrival=1.0)), now=1.0)
    assert second.replica_id == first.replica_id


def test_it_leaves_that_replica_where_only_another_can_meet_the_target() -> None:
    fleet = Fleet(2)
    blocks = tuple(range(10))
    [first] = fleet.tell(Submitted(completion("first", *blocks)))
    fleet.begin(first, now=0.1)
    beginning_alike = (*blocks, *range(100, 190))
    big = request("big", arrival=0.1, ttft_s=5.0, prompt_tokens=8000)
    big = replace(big, prompt_blocks=beginning_alike)
    [away] = fleet.tell(Submitted(big), now=0.1)
    assert away.replica_id == first.replica_id
    [second] = fleet.tell(Submitted(completion("second", *blocks, 10, arrival=0.2)), now=0.2)
    assert second.replica_id != first.replica_id


def test_the_relegated_waits_behind_what_can_be_met_and_says_so_to_the_engine() -> None:
    fleet = Fleet()
    [running] = fleet.tell(Submitted(request("running", prompt_tokens=4000)), now=9.0)
    fleet.tell(Submitted(request("late", arrival=1.0, ttft_s=1.0)), now=9.0)
    fleet.tell(Submitted(request("in time", arrival=9.0, ttft_s=4.0)), now=9.0)
    [first] = fleet.begin(running, now=9.42)
    assert first.request_id == "in time"
    assert first.priority < RELEGATED_PRIORITY
    [second] = fleet.begin(first, now=9.5)
    assert second.request_id == "late"
    assert second.priority >= RELEGATED_PRIORITY


def test_the_relegated_waits_until_the_replica_has_nothing_to_prefill() -> None:
    fleet = Fleet()
    sent = fleet.tell(Submitted(request("first", prompt_tokens=1000)), now=9.0)
    sent += fleet.tell(
        Submitted(replace(completion("typed", 1, arrival=9.0), supersede=True)), now=9.0
    )
    assert fleet.tell(Submitted(request("late", arrival=1.0, ttft_s=1.0)), now=9.0) == []
    assert fleet.tell(Woke(), now=9.01) == []
    assert fleet.begin(sent[0], now=9.15) == []
    [late] = fleet.begin(sent[1], now=9.2)
    assert late.request_id == "late"


def test_a_completion_finds_a_slot_where_others_have_taken_all_that_they_may() -> None:
    fleet = Fleet()
    now, sent = 0.0, 0
    for number in range(40):
        now += 1.0
        asked = request(f"g{number}", arrival=now, session=f"s{number}", tenant="")
        for dispatch in fleet.tell(Submitted(asked), now):
            sent += 1
            fleet.begin(dispatch, now + 0.1)
    assert sent == 30
    assert len(fleet.tell(Submitted(completion("c", arrival=now)), now)) == 1


def test_in_a_large_fleet_a_slot_is_found_beside_replicas_that_are_free_and_full() -> None:
    small = replace(PROFILE, limits=replace(PROFILE.limits, max_num_seqs=2))
    fleet = Fleet(0)
    for number in range(12):
        profile = PROFILE if number == 11 else small
        fleet.tell(ReplicaUp(f"r{number:02}", MODEL, 32, profile))
    now, places = 0.0, []
    for number in range(36):
        now += 1.0
        asked = request(f"g{number}", arrival=now, session=f"s{number}", tenant="")
        for dispatch in fleet.tell(Submitted(asked), now):
            places.append(dispatch.replica_id)
            fleet.begin(dispatch, now + 0.1)
    assert Counter(places)["r11"] == 36 - 2 * 11


def test_a_warm_request_runs_only_where_nothing_else_does() -> None:
    fleet = Fleet()
    warm = replace(request("warm"), warm=True)
    [running] = fleet.tell(Submitted(request("running", prompt_tokens=1000)))
    assert fleet.tell(Submitted(warm)) == []
    [dispatch] = fleet.begin(running, now=0.2)
    assert (dispatch.request_id, dispatch.priority >= RELEGATED_PRIORITY) == ("warm", True)


@settings(max_examples=20, deadline=None)
@given(greedy=st.integers(10, 60), tokens=st.integers(200, 2000))
def test_a_greedy_session_cannot_starve_another(greedy: int, tokens: int) -> None:
    fleet = Fleet()
    crowd = [
        request(f"g{n}", session="greedy", ttft_s=1.0, prompt_tokens=tokens) for n in range(greedy)
    ]
    pending = [dispatch for asked in crowd for dispatch in fleet.tell(Submitted(asked))]
    modest = request("modest", session="modest", ttft_s=1.0, prompt_tokens=tokens, arrival=0.01)
    pending += fleet.tell(Submitted(modest), now=0.01)
    now, served = 0.01, list[str]()
    while pending and "modest" not in served:
        dispatch = pending.pop(0)
        served.append(dispatch.request_id)
        now += 0.02 + tokens * 0.0001
        pending += fleet.begin(dispatch, now)
        pending += fleet.tell(Finished(dispatch.request_id, dispatch.attempt), now)
    assert served[-1] == "modest"
    # As many short prompts as a replica is sent at once were there before it.
    assert len(served) <= 12


def test_each_mechanism_can_be_switched_off_and_no_other() -> None:
    for mechanism in MECHANISMS:
        assert CatoOptions().without(mechanism) != CatoOptions()
        assert Fleet(setup=Setup(without=(mechanism,))).tell(Submitted(summary("s")))
    with pytest.raises(ConfigError, match="late-binding"):
        CatoOptions().without("thinking")


def typed(name: str, *blocks: int, arrival: float) -> Request:
    return replace(completion(name, *blocks, arrival=arrival, tokens=400), supersede=True)


def busy_holder(*without: str) -> tuple[Fleet, tuple[int, ...]]:
    """Two replicas; `a` holds these blocks and computes a long prompt, `b` is idle."""
    fleet, blocks = Fleet(2, Setup(without=without)), tuple(range(5))
    [first] = fleet.tell(Submitted(typed("first", *blocks, arrival=0.0)))
    fleet.begin(first, now=0.1)
    alike = (*blocks, *range(100, 115))
    long = replace(request("long", arrival=1.0, prompt_tokens=1400), prompt_blocks=alike)
    [dispatch] = fleet.tell(Submitted(long), now=1.0)
    assert first.replica_id == dispatch.replica_id == "a"
    return fleet, blocks


def test_what_is_typed_leaves_a_busy_holder_of_its_document_for_an_idle_replica() -> None:
    fleet, blocks = busy_holder()
    sent = fleet.tell(Submitted(typed("again", *blocks, arrival=1.0)), now=1.0)
    assert [dispatch.replica_id for dispatch in sent] == ["b"]


def test_automatic_completions_do_not_delay_other_requests() -> None:
    """A summary is bound as if what the next key may take back were not there."""
    for typing, bound in ((True, 1), (False, 0)):
        fleet = Fleet()
        for number in range(5):
            asked = request(f"t{number}", ttft_s=5.0, prompt_tokens=500)
            asked = replace(asked, task=Task.COMPLETION, supersede=typing)
            assert fleet.tell(Submitted(asked))
        assert len(fleet.tell(Submitted(summary("s")))) == bound


def test_without_a_profile_it_serves_and_learns() -> None:
    scheduler = Scheduler(make_policy("cato"))
    scheduler.handle(ReplicaUp("a", MODEL, 8), 0.0)
    now = 0.0
    for number in range(20):
        now += 10.0
        asked = request(f"r{number}", arrival=now, ttft_s=5.0, prompt_tokens=1000)
        [dispatch] = dispatches(scheduler.handle(Submitted(asked), now))
        scheduler.handle(Progressed(dispatch.request_id, 1, 1), now + 2.0)
        scheduler.handle(Finished(dispatch.request_id, 1), now + 3.0)
    hopeless = request("r", arrival=now, ttft_s=0.5, prompt_tokens=1000)
    [dispatch] = dispatches(scheduler.handle(Submitted(hopeless), now + 5.0))
    assert dispatch.priority >= RELEGATED_PRIORITY


def test_nothing_is_held_for_a_replica_whose_first_token_is_overdue() -> None:
    """What waits for one that hangs is sent on to it, rather than held until it expires."""
    fleet = Fleet()
    fleet.tell(Submitted(request("stuck", ttft_s=60, prompt_tokens=4000)))
    sent = fleet.tell(Submitted(request("next", arrival=5.0, ttft_s=20)), now=5.0)
    assert [(each.request_id, each.priority < RELEGATED_PRIORITY) for each in sent] == [
        ("next", True)
    ]


def test_a_pace_that_no_replica_keeps_holds_nothing_back() -> None:
    fleet = Fleet()
    for number in range(20):
        [sent] = fleet.tell(Submitted(request(f"r{number}", session=f"s{number}")))
        fleet.begin(sent, now=0.0)
    asked = request("paced", arrival=1.0)
    paced = replace(asked, target=replace(asked.target, tpot_s=0.001))
    [sent] = fleet.tell(Submitted(paced), now=1.0)
    assert sent.priority < RELEGATED_PRIORITY


def test_what_is_relegated_takes_a_free_slot_after_a_while() -> None:
    """Answers without end hold more than the slots that it may take before."""
    fleet = Fleet()
    for number in range(20):
        asked = replace(request(f"r{number}", session=f"s{number}"), max_tokens=100_000)
        [sent] = fleet.tell(Submitted(asked))
        fleet.begin(sent, now=0.0)
    assert fleet.tell(Submitted(request("late", arrival=1.0, ttft_s=0.001)), now=1.0) == []
    assert fleet.tell(Woke(), now=1.01) == []
    assert fleet.tell(Woke(), now=15.0) == []
    [sent] = fleet.tell(Woke(), now=21.5)
    assert (sent.request_id, sent.priority >= RELEGATED_PRIORITY) == ("late", True)


def test_a_late_undeclared_request_is_not_held_for_an_idle_replica() -> None:
    """The promise that it missed was assumed: it may be a summary with seconds to spare."""
    fleet = Fleet()
    fleet.tell(Submitted(request("pending", prompt_tokens=1000)), now=9.0)
    late = replace(request("late", arrival=1.0, ttft_s=1.0), declared=False)
    assert fleet.tell(Submitted(late), now=9.0) == []
    [sent] = fleet.tell(Woke(), now=9.01)
    assert (sent.request_id, sent.priority >= RELEGATED_PRIORITY) == ("late", True)


@pytest.mark.parametrize(("declared", "first"), [(True, "long"), (False, "short")])
def test_late_undeclared_requests_are_served_shortest_first(declared: bool, first: str) -> None:
    fleet = Fleet()
    [pending] = fleet.tell(Submitted(request("pending", prompt_tokens=4000)))
    for name, tokens in (("long", 3000), ("short", 100)):
        late = request(name, arrival=-2.0, ttft_s=1.0, prompt_tokens=tokens, session=name)
        assert fleet.tell(Submitted(replace(late, declared=declared))) == []
    assert fleet.tell(Woke(), now=0.01) == []
    sent = fleet.begin(pending, now=0.42) + fleet.tell(Woke(), now=0.43)
    assert sent[0].request_id == first


LARGE = replace(PROFILE, law=replace(PROFILE.law, base=0.2))
"""A step takes 0.2 s, however few tokens are in it."""


def test_prompts_that_come_before_a_step_begins_share_it() -> None:
    """Each a step of its own would be too late."""
    fleet = Fleet(profile=LARGE)
    [running] = fleet.tell(Submitted(request("running", max_tokens=1000)))
    fleet.begin(running, now=0.3)
    sent = [
        fleet.tell(Submitted(request(name, arrival=1.0, ttft_s=0.4, session=name)), now=1.0)
        for name in ("first", "second", "third")
    ]
    assert [len(each) for each in sent] == [1, 1, 1]
    assert all(each[0].priority < RELEGATED_PRIORITY for each in sent)


@pytest.mark.parametrize(("tokens", "waits"), [(100, False), (2000, True)])
def test_what_is_late_runs_beside_others_where_its_prompt_goes_unnoticed(
    tokens: int, waits: bool
) -> None:
    fleet = Fleet(profile=LARGE)
    fleet.tell(Submitted(request("pending", prompt_tokens=1000)), now=9.0)
    late = request("late", arrival=1.0, ttft_s=1.0, prompt_tokens=tokens)
    sent = fleet.tell(Submitted(late), now=9.0) + fleet.tell(Woke(), now=9.01)
    assert [each.priority >= RELEGATED_PRIORITY for each in sent] == ([] if waits else [True])


def test_a_long_prompt_that_waits_for_time_keeps_no_short_one_from_running_beside_others() -> None:
    fleet = Fleet(profile=LARGE)
    fleet.tell(Submitted(request("pending", prompt_tokens=1000)))
    long, short = (
        replace(request(name, prompt_tokens=tokens, session=name), warm=True)
        for name, tokens in (("long", 2000), ("short", 100))
    )
    assert fleet.tell(Submitted(long)) == []
    assert [each.request_id for each in fleet.tell(Submitted(short))] == ["short"]


def test_what_is_late_for_certain_keeps_nothing_back_that_nobody_declared() -> None:
    fleet = Fleet()
    fleet.tell(Submitted(request("pending", prompt_tokens=1000)), now=9.0)
    for name, declared in (("certain", True), ("assumed", False)):
        late = request(name, arrival=1.0, ttft_s=1.0, prompt_tokens=500, session=name)
        assert fleet.tell(Submitted(replace(late, declared=declared)), now=9.0) == []
    sent = fleet.tell(Woke(), now=9.01)
    assert [each.request_id for each in sent] == ["assumed"]


CROWDED = replace(PROFILE, law=replace(PROFILE.law, per_sequence=0.002))
"""Eight answers at once have twice the time between tokens of one."""


def paced(name: str, arrival: float = 0.0, ttft_s: float = 10.0) -> Request:
    asked = request(name, arrival=arrival, session=name, ttft_s=ttft_s, max_tokens=1000)
    return replace(asked, target=replace(asked.target, tpot_s=0.040))


def crowd(fleet: Fleet, size: int) -> list[Dispatch]:
    """So many answers have begun."""
    sent: list[Dispatch] = []
    for number in range(size):
        sent += fleet.tell(Submitted(request(f"r{number}", session=f"r{number}", max_tokens=1000)))
        fleet.begin(sent[-1], now=0.0)
    return sent


def test_relegated_work_leaves_the_next_requests_their_pace() -> None:
    """Else these are relegated as well, and the overload does not end."""
    fleet = Fleet(profile=CROWDED)
    sent = crowd(fleet, 8)
    sent += fleet.tell(Submitted(paced("first")))
    fleet.begin(sent[-1], now=0.1)
    assert fleet.tell(Submitted(paced("late", arrival=0.5, ttft_s=0.001)), now=1.0) == []
    assert fleet.tell(Woke(), now=1.01) == []
    ends = [fleet.tell(Finished(each.request_id, 1), now=2.0) for each in sent]
    assert [each.request_id for end in ends for each in end] == ["late"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_client_that_declares_nothing_is_held_to_the_pace_less(declared: bool) -> None:
    fleet = Fleet(profile=CROWDED)
    crowd(fleet, 24)
    sent = fleet.tell(Submitted(replace(paced("next", arrival=1.0), declared=declared)), now=1.0)
    assert [each.priority < RELEGATED_PRIORITY for each in sent] == ([] if declared else [True])


@pytest.mark.parametrize("names_pace", [True, False])
def test_an_assumed_pace_that_no_replica_keeps_holds_a_request_back_less(names_pace: bool) -> None:
    fleet = Fleet(profile=CROWDED)
    crowd(fleet, 16)
    asked = replace(paced("next", arrival=1.0), names_pace=names_pace)
    asked = replace(asked, target=replace(asked.target, tpot_s=0.001))
    sent = fleet.tell(Submitted(asked), now=1.0)
    assert [each.priority < RELEGATED_PRIORITY for each in sent] == ([] if names_pace else [True])


@pytest.mark.parametrize(("e2e_s", "waits"), [(120.0, True), (1.5, False)])
def test_an_agent_waits_for_time_to_spare_while_it_has_time(e2e_s: float, waits: bool) -> None:
    fleet = Fleet()
    [other] = fleet.tell(Submitted(request("other", prompt_tokens=2000, ttft_s=1.0)))
    turn = replace(summary("turn", e2e_s=e2e_s), task=Task.AGENT)
    assert fleet.tell(Submitted(turn)) == [] if waits else True
    held = fleet.begin(other, now=0.2)
    assert [each.request_id for each in held] == (["turn"] if waits else [])
