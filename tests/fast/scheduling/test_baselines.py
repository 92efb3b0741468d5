"""What each baseline is known for, on fleets small enough to see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Request, Target
from cato_backend.scheduling import (
    Dispatch,
    Finished,
    Progressed,
    ReplicaUp,
    Scheduler,
    Setup,
    Submitted,
    make_policy,
    policy_names,
)
from cato_backend.wire.headers import Task
from tests.fast.scheduling.stories import MODEL, request

PROFILE = Profile(
    MODEL,
    "test",
    StepLaw("additive", base=0.02, per_new_token=0.0001),
    EngineLimits(max_num_seqs=8, kv_tokens=10_000),
)


class Fleet:
    """A scheduler with two replicas, `a` and `b`."""

    def __init__(self, policy: str) -> None:
        self.scheduler = Scheduler(make_policy(policy))
        for name in "ab":
            self.scheduler.handle(ReplicaUp(name, MODEL, 8, PROFILE), 0.0)

    def submit(self, *requests: Request, now: float = 0.0) -> list[Dispatch]:
        """What is dispatched because of them."""
        made = [d for r in requests for d in self.scheduler.handle(Submitted(r), now)]
        return [d for d in made if isinstance(d, Dispatch)]

    def finish(self, dispatch: Dispatch, now: float = 0.0) -> list[Dispatch]:
        """The attempt answers and ends."""
        scheduler = self.scheduler
        made = scheduler.handle(Progressed(dispatch.request_id, dispatch.attempt, 1), now)
        made += scheduler.handle(Finished(dispatch.request_id, dispatch.attempt), now)
        return [d for d in made if isinstance(d, Dispatch)]


def shared(name: str, *blocks: int) -> Request:
    return replace(request(name), prompt_blocks=blocks)


@pytest.mark.parametrize("name", sorted(policy_names()))
def test_every_policy_serves_everything_in_the_end(name: str) -> None:
    fleet = Fleet(name)
    pending = fleet.submit(*(request(f"r{n}", ttft_s=50) for n in range(40)))
    served = set[str]()
    while pending:
        dispatch = pending.pop(0)
        served.add(dispatch.request_id)
        pending += fleet.finish(dispatch)
    assert len(served) == 40


@pytest.mark.parametrize("name", ["random", "power-of-two"])
def test_chance_uses_every_replica_and_repeats_itself(name: str) -> None:
    requests = [request(f"r{n}") for n in range(12)]
    first, again = ([d.replica_id for d in Fleet(name).submit(*requests)] for _ in range(2))
    assert first == again
    assert set(first) == {"a", "b"}


@pytest.mark.parametrize("name", ["least-requests", "power-of-two"])
def test_fewer_requests_win_however_long_they_are(name: str) -> None:
    fleet = Fleet(name)
    long, _, third = fleet.submit(
        request("long", max_tokens=4000), request("short"), request("third")
    )
    (fourth,) = fleet.submit(request("fourth"))
    assert {third.replica_id, fourth.replica_id} == {"a", "b"}
    assert long.replica_id in "ab"


@pytest.mark.parametrize("name", ["prefix-affinity", "prefix-affinity-priorities", "llm-d"])
def test_a_prefix_is_followed(name: str) -> None:
    fleet = Fleet(name)
    (first,) = fleet.submit(shared("first", 1, 2, 3))
    fleet.submit(*(request(f"r{n}") for n in range(2)))
    (again,) = fleet.submit(shared("again", 1, 2, 3, 4))
    assert again.replica_id == first.replica_id


def test_affinity_yields_to_imbalance() -> None:
    fleet = Fleet("prefix-affinity")
    places = [d.replica_id for d in fleet.submit(*(shared(f"r{n}", 1, 2, 3) for n in range(16)))]
    assert places[:8] == [places[0]] * 8
    assert set(places) == {"a", "b"}


def test_static_priorities_reach_the_engine() -> None:
    fleet = Fleet("prefix-affinity-priorities")
    translation = replace(request("t"), task=Task.TRANSLATION)
    completion = replace(request("c"), task=Task.COMPLETION)
    late, early = fleet.submit(translation, completion)
    assert early.priority < late.priority


def test_dynamo_weighs_prefill_against_what_decodes() -> None:
    fleet = Fleet("dynamo")
    fleet.submit(request("long prompt", prompt_tokens=4000))
    (second,) = fleet.submit(request("second", prompt_tokens=500))
    (third,) = fleet.submit(request("third", prompt_tokens=500))
    assert second.replica_id == third.replica_id != "a"


@pytest.mark.parametrize("name", ["edf", "qoserve"])
def test_the_more_urgent_overtakes_in_the_queue(name: str) -> None:
    fleet = Fleet(name)
    running = fleet.submit(*(request(f"r{n}", ttft_s=30) for n in range(4)))
    assert len(running) == 4
    assert fleet.submit(request("patient", ttft_s=20), request("urgent", ttft_s=5)) == []
    (next_one,) = fleet.finish(running[0])
    assert next_one.request_id == "urgent"


@pytest.mark.parametrize("name", ["edf", "qoserve"])
def test_a_first_token_makes_place_for_the_next(name: str) -> None:
    fleet = Fleet(name)
    running = fleet.submit(*(request(f"r{n}", ttft_s=30) for n in range(4)))
    assert fleet.submit(request("next", ttft_s=20)) == []
    begun = Progressed(running[0].request_id, running[0].attempt, 1)
    made = fleet.scheduler.handle(begun, 0.1)
    assert [d.request_id for d in made if isinstance(d, Dispatch)] == ["next"]


def test_qoserve_puts_the_doomed_behind() -> None:
    fleet = Fleet("qoserve")
    running = fleet.submit(*(request(f"r{n}", ttft_s=30) for n in range(4)))
    fleet.submit(request("doomed", ttft_s=0.001), request("possible", ttft_s=9))
    (next_one,) = fleet.finish(running[0])
    assert next_one.request_id == "possible"


def test_saber_keeps_the_speed_that_was_promised() -> None:
    fleet = Fleet("saber")
    promised = Target(e2e_s=4.2)  # 200 tokens at 48 tokens a second: alone, or not at all
    runs = [replace(request(f"r{n}", max_tokens=200), target=promised) for n in range(2)]
    assert {d.replica_id for d in fleet.submit(*runs)} == {"a", "b"}
    hungry = replace(request("third", max_tokens=200), target=Target(e2e_s=4.0))
    dispatched = fleet.submit(hungry)
    assert [d.priority > 0 for d in dispatched] == [True]  # best effort, behind the promised ones


def test_the_paper_takes_the_largest_available_resource() -> None:
    fleet = Fleet("paper")
    fleet.submit(request("large", prompt_tokens=5000))
    later = fleet.submit(request("second"), request("third"))
    assert [d.replica_id for d in later] == ["b", "b"]


def test_llmd_packs_where_the_target_can_be_met() -> None:
    fleet = Fleet("llm-d")
    placed = fleet.submit(*(request(f"r{n}", ttft_s=5) for n in range(4)))
    assert len({d.replica_id for d in placed}) == 1


def test_each_task_keeps_to_its_own_replicas() -> None:
    scheduler = Scheduler(make_policy("per-task", Setup(split=(1, 1, 1, 3))))
    for name in "abcdef":
        scheduler.handle(ReplicaUp(name, MODEL, 2, PROFILE), 0.0)
    translations = [replace(request(f"t{n}"), task=Task.TRANSLATION) for n in range(8)]
    completion = replace(request("c"), task=Task.COMPLETION)
    made = [d for r in (*translations, completion) for d in scheduler.handle(Submitted(r), 0.0)]
    places = {d.request_id: d.replica_id for d in made if isinstance(d, Dispatch)}
    assert places.pop("c") == "a"
    assert sorted(places.values()) == ["d", "d", "e", "e", "f", "f"]
    assert scheduler.waiting(MODEL) == 2
