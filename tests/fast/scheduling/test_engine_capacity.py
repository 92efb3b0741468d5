"""How many requests an engine runs at once, as its metrics show it, and what shows nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.requests import Request
from cato_backend.scheduling import (
    Decision,
    Dispatch,
    Finished,
    LoadReported,
    Progressed,
    ReplicaDown,
    ReplicaUp,
    Submitted,
)
from cato_backend.scheduling.engine_readings import EngineCapacity
from cato_backend.wire.headers import Task
from tests.fast.scheduling.stories import MODEL, Story, request

SLOTS = 16
FULL = LoadReported("a", running=SLOTS, waiting=2, kv_usage=0.4)
EVERY_S = 2.0


def looked(*looks: tuple[LoadReported, int]) -> EngineCapacity:
    """After looks, each with so many requests that have had a token."""
    capacity = EngineCapacity()
    for number, (load, decoding) in enumerate(looks):
        capacity.look(load, SLOTS + 2, decoding, 1000, number * EVERY_S)
    return capacity


def test_requests_that_wait_while_all_others_decode_show_the_slots() -> None:
    assert looked(*[(FULL, SLOTS)] * 2).slots is None  # One may have caught a newcomer.
    assert looked(*[(FULL, SLOTS)] * 3).slots == SLOTS


@pytest.mark.parametrize(
    ("load", "decoding"),
    [
        (FULL._replace(waiting=0), SLOTS),
        (FULL, SLOTS - 1),  # A prompt that is computed may have used the tokens of the step up.
        (FULL._replace(kv_usage=0.97), SLOTS),  # They may wait for KV blocks.
        (FULL._replace(running=SLOTS - 1), SLOTS - 1),  # More have run before.
        (FULL._replace(waiting=3), SLOTS),  # Others have requests there.
    ],
)
def test_other_reasons_to_wait_show_nothing(load: LoadReported, decoding: int) -> None:
    assert looked((FULL._replace(waiting=0), SLOTS), *[(load, decoding)] * 9).slots is None


def test_more_that_run_disprove_it() -> None:
    more = FULL._replace(running=SLOTS + 1, waiting=0)
    assert looked(*[(FULL, SLOTS)] * 3, (more, SLOTS + 1)).slots is None


def test_one_more_is_tried_when_it_was_not_confirmed_for_long() -> None:
    capacity = looked(*[(FULL, SLOTS)] * 3)
    quiet = FULL._replace(waiting=0)
    capacity.look(quiet, SLOTS, SLOTS, 1000, 30.0)
    assert capacity.slots == SLOTS
    capacity.look(quiet, SLOTS, SLOTS, 1000, 60.0)
    assert capacity.slots == SLOTS + 1
    capacity.look(FULL, SLOTS + 2, SLOTS, 1000, 62.0)
    assert capacity.slots == SLOTS


def test_an_engine_that_shows_nothing_but_waiting_has_a_slot() -> None:
    assert looked(*[(LoadReported("a", 0, 3), 0)] * 3).slots == 1


def test_a_load_that_cannot_be_ours_is_not_remembered() -> None:
    lie = FULL._replace(running=999_999)
    assert looked((lie, SLOTS), *[(FULL, SLOTS)] * 3).slots == SLOTS


def test_a_cache_is_as_large_as_last_told() -> None:
    assert looked((FULL, SLOTS)).kv_tokens is None
    assert looked((FULL._replace(kv_tokens=9000), SLOTS)).kv_tokens == 9000


def test_blocks_that_prompts_share_are_held_once() -> None:
    """1000 tokens by the ledger, of which 400 are in blocks of their own."""
    capacity = looked((FULL._replace(kv_tokens=2000, kv_usage=0.2), SLOTS))
    assert capacity.held(1000) == 400
    assert capacity.held(1100) == 500  # What has come since.
    assert capacity.held(100) == 0
    assert looked((FULL._replace(kv_tokens=2000, kv_usage=None), SLOTS)).held(1000) == 1000


# -- under the policy ----------------------------------------------------------------------------


def generation(name: str) -> Request:
    """With time enough for whatever is before it."""
    return request(name, ttft_s=60.0)


def completion(name: str) -> Request:
    return replace(request(name, ttft_s=60.0), task=Task.COMPLETION)


class Crowded(Story):
    """A replica of 16 slots that is believed to have 64, with a crowd of streams."""

    def __init__(self) -> None:
        super().__init__(0, policy="cato")
        self.tell(ReplicaUp("a", MODEL, 64))
        self.running: list[str] = []

    def ask(self, asked: Request, now: float) -> bool:
        """Whether it is sent, at once or after the first token of the one before."""
        self._follow(self.tell(Submitted(asked), now))
        return asked.id in self.running

    def end(self, name: str, now: float) -> None:
        """Its answer is whole."""
        self.running.remove(name)
        self._follow(self.tell(Finished(name, 1), now))

    def _follow(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Dispatch):
                self.running.append(decision.request_id)
                now = self.scheduler.replica("a").attempts[decision.request_id].dispatched_at  # type: ignore[union-attr]
                self._follow(self.tell(Progressed(decision.request_id, 1, 1), now))


@pytest.fixture
def crowded() -> Crowded:
    """With 15 generations that have begun, and a known limit."""
    story = Crowded()
    for number in range(SLOTS + 2):
        assert story.ask(generation(f"g{number}"), now=0.1 * number)
    for look in range(3):
        assert story.tell(FULL, now=2.0 + look * EVERY_S) == []
    for number in range(3):
        story.end(f"g{number}", now=7.0)
    return story


def test_the_last_slot_is_for_completions(crowded: Crowded) -> None:
    assert not crowded.ask(generation("waits"), now=7.1)
    assert crowded.ask(completion("typed"), now=7.2)
    assert not crowded.ask(completion("one too many"), now=7.3)
    crowded.end("typed", now=7.4)
    assert "one too many" in crowded.running


def test_a_replica_that_comes_again_is_another_one(crowded: Crowded) -> None:
    crowded.tell(ReplicaDown("a"), now=8.0)
    crowded.tell(ReplicaUp("a", MODEL, 64), now=9.0)
    replica = crowded.scheduler.replica("a")
    assert replica is not None
    assert replica.capacity.slots is None


def test_a_prompt_waits_for_room_in_the_cache_that_was_told() -> None:
    story = Crowded()
    for number in range(3):
        assert story.ask(generation(f"g{number}"), now=0.1 * number)
    story.tell(LoadReported("a", 3, 0, 0.9, kv_tokens=350), now=1.0)
    assert not story.ask(generation("waits"), now=1.1)
    story.end("g0", now=2.0)
    assert "waits" in story.running


def test_reports_of_replicas_that_are_gone_are_ignored() -> None:
    assert Story(policy="cato").tell(LoadReported("gone", 1, 1)) == []
