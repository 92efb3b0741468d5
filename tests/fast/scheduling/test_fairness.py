"""Shares of tokens and sessions: who crowds, who is above its share, and what others keep."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.requests import EQUAL_SHARE, Origin, Share
from cato_backend.scheduling import Dispatch, Finished, Limits, Refusal, Submitted
from cato_backend.scheduling.fairness import Fairness
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaLoad
from tests.fast.scheduling.stories import Story, request

ALICE, BOB = Origin("alice", "a"), Origin("bob", "b")


def fairness(alice: int, bob: int, *, served: tuple[int, int] = (0, 0)) -> Fairness:
    """So many live requests of each, and so many tokens served."""
    made = Fairness()
    for origin, live, tokens in ((ALICE, alice, served[0]), (BOB, bob, served[1])):
        for _ in range(live):
            made.enter(origin, 0.0)
        made.prefilled(origin, tokens, 0.0)
    return made


def waiting(name: str, origin: Origin) -> Waiting:
    return Waiting(request(name, tenant=origin.tenant, session=origin.session), 9.0, 9.0)


def replicas(*states: tuple[int, int]) -> list[ReplicaLoad]:
    """Pairs of what runs and what of it is unstarted, on replicas with 8 slots."""
    return [
        ReplicaLoad(f"r{index}", "m", 8, running=running, unstarted=unstarted)
        for index, (running, unstarted) in enumerate(states)
    ]


def open_to(shares: Fairness, origin: Origin, slots: int = 32) -> list[str]:
    """Of an empty replica, one with a quarter running, one more than that, one that prefills."""
    fleet = replicas((0, 0), (1, 0), (3, 0), (1, 1))
    found = shares.look(slots).open_to(waiting("w", origin), fleet)
    return [replica.replica_id for replica in found]


ALL = ["r0", "r1", "r2", "r3"]


@pytest.mark.parametrize(
    ("alice", "bob", "served", "expected"),
    [
        (16, 1, (10**6, 10), ALL),
        (17, 1, (10, 10), ["r0", "r1", "r2"]),
        (17, 1, (19, 10), ["r0", "r1", "r2"]),
        (17, 1, (21, 10), ["r0", "r1"]),
        (17, 1, (10**6, 0), ["r0", "r1"]),
        (40, 40, (10**6, 10), ALL),
    ],
)
def test_a_crowd_gets_what_the_others_leave(
    alice: int, bob: int, served: tuple[int, int], expected: list[str]
) -> None:
    shares = fairness(alice, bob, served=served)
    assert open_to(shares, ALICE) == expected
    assert open_to(shares, BOB) == ALL


def test_flows_above_their_share_come_last_and_the_order_is_kept() -> None:
    shares = fairness(20, 2)
    queue = [waiting(f"{o.tenant}-{n}", o) for n, o in enumerate([ALICE, BOB, ALICE, BOB, ALICE])]
    ordered = [each.request.id for each in shares.look(16).others_first(queue)]
    assert ordered == ["bob-1", "bob-3", "alice-0", "alice-2", "alice-4"]


def test_sessions_of_a_token_share_likewise() -> None:
    shares = Fairness()
    one, other = Origin("t", "one"), Origin("t", "other")
    for _ in range(20):
        shares.enter(one, 0.0)
    assert open_to(shares, one) == ALL, "alone, it may have everything"
    shares.enter(other, 0.0)
    shares.prefilled(one, 100, 0.0)
    assert open_to(shares, one) == ["r0", "r1"]
    assert open_to(shares, other) == ALL


def test_plain_clients_of_a_token_are_one_flow() -> None:
    shares = Fairness()
    for _ in range(100):
        shares.enter(Origin("t"), 0.0)
    assert open_to(shares, Origin("t")) == ALL


def test_who_has_many_requests_leaves_slots_to_newcomers() -> None:
    """Even alone: what it would run there could not be displaced."""
    shares = Fairness()
    for _ in range(20):
        shares.enter(ALICE, 0.0)
    fleet = replicas((6, 0), (7, 0), (7, 3))
    found = shares.look(24).open_to(waiting("w", ALICE), fleet)
    assert [replica.replica_id for replica in found] == ["r0"]
    found = shares.look(24).open_to(waiting("w", BOB), fleet)
    assert [replica.replica_id for replica in found] == ["r0", "r1", "r2"]


def test_who_names_neither_token_nor_session_may_have_every_slot() -> None:
    shares = Fairness()
    for _ in range(20):
        shares.enter(Origin(), 0.0)
    assert len(shares.look(24).open_to(waiting("w", Origin()), replicas((7, 0), (7, 3)))) == 2


def test_former_service_is_forgotten() -> None:
    shares = fairness(20, 1, served=(300, 100))
    assert open_to(shares, ALICE) == ["r0", "r1"]
    shares.prefilled(BOB, 100, 60.0)
    assert open_to(shares, ALICE) == ["r0", "r1", "r2"]


def test_flows_without_requests_do_not_count() -> None:
    shares = fairness(20, 1, served=(300, 100))
    shares.leave(BOB, 0.0)
    assert open_to(shares, ALICE) == ["r0", "r1"], "Bob may come back at once"
    shares.leave(ALICE, 31.0)
    assert open_to(shares, ALICE) == ALL


def test_a_few_slots_are_shared_too() -> None:
    assert open_to(fairness(2, 1), ALICE, slots=4) == ALL
    assert open_to(fairness(3, 1), ALICE, slots=4) == ["r0", "r1", "r2"]


FLOWS = st.tuples(st.sampled_from("ab"), st.sampled_from("xy"))


@given(st.lists(st.tuples(FLOWS, st.integers(0, 2), st.floats(0, 100)), max_size=80))
def test_whatever_happens_an_idle_replica_is_open_to_all(
    story: list[tuple[tuple[str, str], int, float]],
) -> None:
    shares, now = Fairness(), 0.0
    live: list[Origin] = []
    for flow, what, passed in story:
        now += passed
        origin = Origin(*flow)
        if what == 0:
            shares.enter(origin, now)
            live.append(origin)
        elif what == 1 and origin in live:
            live.remove(origin)
            shares.leave(origin, now)
        elif live:
            shares.prefilled(live[0], 1000, now)
            shares.decoded(live[-1], 1000, now)
        assert all("r0" in open_to(shares, each, 4) for each in live)


def test_a_light_flow_is_served_before_a_flood() -> None:
    """One slot at a time, forty of Alice's before it: Bob is next."""
    story = Story(limits=Limits(max_waiting_per_session=100))
    for number in range(40):
        story.tell(Submitted(request(f"a{number}", tenant="alice")))
    story.tell(Submitted(request("b", tenant="bob")), now=1.0)
    (dispatched,) = story.tell(Finished("a0", 1), now=2.0)
    assert isinstance(dispatched, Dispatch)
    assert dispatched.request_id == "b"


@pytest.mark.parametrize("uptime_s", [0.0, 25_000.0, 1e6, 1e9])
def test_a_clock_may_begin_anywhere_and_rest_for_long(uptime_s: float) -> None:
    """The clock of a server is that of its machine since the start."""
    fairness, origin = Fairness(), Origin("t", "s")
    for now in (uptime_s, uptime_s + 100, uptime_s + 1e7):
        fairness.enter(origin, now)
        fairness.prefilled(origin, 1000, now)
        fairness.decoded(origin, 10, now)
        assert not fairness.is_above_share(origin)
        fairness.leave(origin, now)


# -- teams -----------------------------------------------------------------------------------------


def of_team(team: str, person: str) -> Origin:
    return Origin(person, "s", team=team)


def live(*flows: tuple[Origin, int, Share]) -> Fairness:
    """So many live requests of each; the slots are known."""
    made = Fairness()
    for origin, number, share in flows:
        for _ in range(number):
            made.enter(origin, 0.0, share)
    return made


def waits(origin: Origin, share: Share = EQUAL_SHARE) -> Waiting:
    asked = replace(request(origin.tenant), origin=origin, share=share)
    return Waiting(asked, 9.0, 9.0)


def ordered(shares: Fairness, queue: list[Waiting], slots: int) -> list[str]:
    return [each.request.id for each in shares.look(slots).others_first(queue)]


def test_the_others_of_a_crowding_team_are_not_held_back() -> None:
    flood, colleague, other = (of_team(*names) for names in (("a", "x"), ("a", "y"), ("b", "z")))
    shares = live((flood, 60, EQUAL_SHARE), (colleague, 3, EQUAL_SHARE), (other, 2, EQUAL_SHARE))
    queue = [waits(flood), waits(colleague), waits(other)]
    assert ordered(shares, queue, 64) == ["y", "z", "x"]


def test_of_a_team_above_its_share_the_people_above_theirs_wait() -> None:
    """Thirty-five live are fewer than half of eighty slots, and more than half of forty."""
    people = [of_team("a", f"p{number}") for number in range(20)]
    crowd = [(person, 6 if number < 3 else 1, EQUAL_SHARE) for number, person in enumerate(people)]
    other = of_team("b", "z")
    shares = live(*crowd, (other, 1, EQUAL_SHARE))
    assert ordered(shares, [waits(people[0]), waits(people[9]), waits(other)], 80)[-1] == "z"
    assert ordered(shares, [waits(people[0]), waits(people[9]), waits(other)], 40) == [
        *("p9", "z", "p0")
    ]


@pytest.mark.parametrize(("weight", "expected"), [(1.0, ["y", "x"]), (3.0, ["x", "y"])])
def test_a_heavier_team_may_have_more_live(weight: float, expected: list[str]) -> None:
    heavy, light = of_team("a", "x"), of_team("b", "y")
    shares = live((heavy, 40, Share(team_weight=weight)), (light, 4, EQUAL_SHARE))
    assert ordered(shares, [waits(heavy), waits(light)], 64) == expected


def test_where_every_team_asks_too_much_those_served_more_than_their_part_come_last() -> None:
    one, other = of_team("a", "x"), of_team("b", "y")
    shares = live((one, 40, Share(team_weight=3.0)), (other, 40, EQUAL_SHARE))
    shares.prefilled(one, 2900, 0.0)
    shares.prefilled(other, 1000, 0.0)
    assert ordered(shares, [waits(other), waits(one)], 32) == ["x", "y"]
    shares.prefilled(one, 200, 0.0)
    assert ordered(shares, [waits(one), waits(other)], 32) == ["y", "x"]


def test_priority_comes_before_shares_and_a_budget_before_both() -> None:
    first, low, spent = (of_team(*names) for names in (("a", "x"), ("b", "y"), ("c", "z")))
    high, over = Share(priority=2), Share(priority=9, over_budget=True)
    shares = live((first, 30, high), (low, 1, EQUAL_SHARE), (spent, 1, over))
    queue = [waits(spent, over), waits(low), waits(first, high)]
    assert ordered(shares, queue, 32) == ["x", "y", "z"]
    for origin, number, share in ((first, 30, high), (spent, 1, over)):
        for _ in range(number):
            shares.leave(origin, 1.0, share)
    assert not shares.look(32).is_ranked


def test_over_budget_gets_what_is_nearly_idle_while_others_ask() -> None:
    spent, other, over = of_team("a", "x"), of_team("b", "y"), Share(over_budget=True)
    fleet = replicas((0, 0), (1, 0), (3, 0), (1, 1))
    shares = live((spent, 1, over), (other, 1, EQUAL_SHARE))
    found = shares.look(32).open_to(waits(spent, over), fleet)
    assert [replica.replica_id for replica in found] == ["r0"]
    shares.leave(other, 1.0)
    assert shares.look(32).open_to(waits(spent, over), fleet) == fleet


def test_a_full_queue_drops_what_is_over_budget_first() -> None:
    story = Story(limits=Limits(max_waiting=2))
    story.tell(Submitted(request("runs")))
    over = replace(request("over", tenant="spent"), share=Share(over_budget=True))
    story.tell(Submitted(over))
    story.tell(Submitted(request("first", tenant="other")))
    (dropped,) = story.tell(Submitted(request("second", tenant="other")))
    assert dropped[:2] == ("over", Refusal.OVERLOADED)
    late = replace(request("late", tenant="spent"), share=Share(over_budget=True))
    (dropped,) = story.tell(Submitted(late))
    assert dropped[0] == "late"
