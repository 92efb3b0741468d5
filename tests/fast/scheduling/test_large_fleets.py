"""Fleets of which only a few replicas are looked at for each request."""

from __future__ import annotations

from dataclasses import replace

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.scheduling import (
    Dispatch,
    Event,
    Progressed,
    ReplicaDraining,
    ReplicaUp,
    Scheduler,
    Submitted,
    make_policy,
)
from tests.fast.scheduling.stories import MODEL, request

LAW = StepLaw("additive", base=0.020, per_new_token=0.0001)


class Fleet:
    """Replicas of one model under `cato`."""

    def __init__(self) -> None:
        self.scheduler = Scheduler(make_policy("cato"))

    def tell(self, event: Event, now: float) -> list[Dispatch]:
        decisions = self.scheduler.handle(event, now)
        return [each for each in decisions if isinstance(each, Dispatch)]

    def up(self, name: str, now: float, slots: int = 32, kv_tokens: int = 100_000) -> None:
        """A replica comes whose engine runs so many requests at once."""
        limits = EngineLimits(max_num_seqs=slots, kv_tokens=kv_tokens)
        profile = Profile(MODEL, "emulated", LAW, limits)
        self.tell(ReplicaUp(name, MODEL, 32, profile), now)

    def submit(self, name: str, now: float, tokens: int = 100) -> list[str]:
        """Return where it goes; its first token comes soon."""
        asked = request(name, arrival=now, session=name, prompt_tokens=tokens)
        places = self.tell(Submitted(asked), now)
        for each in places:
            self.tell(Progressed(each.request_id, each.attempt, 1), now + 0.03)
        return [each.replica_id for each in places]


def test_a_slot_is_found_beside_a_full_replica_and_replicas_that_take_no_more() -> None:
    fleet = Fleet()
    fleet.up("full", 0.0, slots=1)
    assert fleet.submit("first", now=0.0) == ["full"]
    for number in range(10):
        fleet.up(f"r{number}", 1.0)
        assert fleet.submit(f"one-{number}", now=1.0 + number) == [f"r{number}"]
    for number in range(4):
        fleet.up(f"draining-{number}", 20.0)
        fleet.tell(ReplicaDraining(f"draining-{number}"), now=20.0)
    [place] = fleet.submit("last", now=30.0)
    assert place.startswith("r")


def test_a_prompt_that_a_replica_of_another_model_holds_goes_to_one_of_its_own() -> None:
    fleet = Fleet()
    fleet.tell(ReplicaUp("other", "another-model", 8, Profile(MODEL, "emulated", LAW)), 0.0)
    for number in range(9):
        fleet.up(f"r{number}", 0.0)
    asked = replace(request("first"), prompt_blocks=tuple(range(1, 9)))
    [place] = fleet.tell(Submitted(replace(asked, model="another-model")), 0.0)
    assert place.replica_id == "other"
    [place] = fleet.tell(Submitted(replace(asked, id="second")), 0.1)
    assert place.replica_id.startswith("r")


def test_room_is_found_beside_replicas_with_a_full_kv_cache() -> None:
    fleet = Fleet()
    for number in range(4):
        fleet.up(f"full-{number}", 10.0 * number, kv_tokens=3000)
        for turn in range(3):
            now = 10.0 * number + turn
            assert fleet.submit(f"long-{number}-{turn}", now, 930) == [f"full-{number}"]
    for number in range(4):
        fleet.up(f"r{number}", 50.0 + 10 * number)
        for turn in range(5):
            now = 50.0 + 10 * number + turn
            assert fleet.submit(f"one-{number}-{turn}", now) == [f"r{number}"]
    fleet.up("new", 90.0)
    for number in range(20):
        assert len(fleet.submit(f"more-{number}", 91.0 + number)) == 1
