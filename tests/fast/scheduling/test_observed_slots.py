"""How many requests an engine runs at once, as its streams show it."""

from __future__ import annotations

from dataclasses import replace

from cato_backend.requests import Request
from cato_backend.scheduling import (
    Dispatch,
    Event,
    Finished,
    Limits,
    Progressed,
    ReplicaUp,
    Scheduler,
    Submitted,
    make_policy,
)
from cato_backend.scheduling.policies.cato.room import ObservedSlots
from tests.fast.scheduling.stories import MODEL, request

PROMPT_S = 0.1
SLOTS = 4


def full(slots: ObservedSlots, ends: int, waits_s: float, begin: float = 0.0) -> float:
    """The engine is full, and each answer that ends makes way for the next, which has waited for
    `waits_s` since the last one began. Returns when that was done."""
    now = begin
    for number in range(SLOTS):
        slots.began(number + 1, now)
    for _ in range(ends):
        now += waits_s
        assert slots.may_show(SLOTS)
        slots.ended(begin, PROMPT_S, now)
        slots.began(SLOTS, now)
    return now


def test_requests_that_wait_for_longer_than_their_prompts_take_show_the_slots() -> None:
    slots = ObservedSlots()
    full(slots, 2, waits_s=3 * PROMPT_S)
    assert slots.limit is None
    slots = ObservedSlots()
    full(slots, 3, waits_s=3 * PROMPT_S)
    assert slots.limit == SLOTS


def test_what_waits_for_its_prompt_alone_shows_nothing() -> None:
    slots = ObservedSlots()
    full(slots, 9, waits_s=PROMPT_S)
    assert slots.limit is None


def test_one_request_more_is_tried_after_a_while() -> None:
    slots = ObservedSlots()
    now = full(slots, 3, waits_s=3 * PROMPT_S)
    slots.began(SLOTS, now + 6.0)
    assert slots.limit == SLOTS + 1
    slots.ended(now, PROMPT_S, now + 7.0)
    assert slots.limit == SLOTS


def test_more_that_run_disprove_it() -> None:
    slots = ObservedSlots()
    now = full(slots, 3, waits_s=3 * PROMPT_S)
    slots.began(SLOTS + 1, now)
    assert slots.limit is None


class Overload:
    """A scheduler under `cato` and an engine whose slots it was not told, which are all taken."""

    def __init__(self) -> None:
        self.queued: list[str] = []
        self.running: list[str] = []
        self.now = 0.0
        limits = Limits(max_waiting=1000, max_waiting_per_session=1000)
        self._scheduler = Scheduler(make_policy("cato"), limits)
        self._scheduler.handle(ReplicaUp("a", MODEL, 64), 0.0)

    def ask(self, asked: Request) -> None:
        self._tell(Submitted(asked))
        self._begin()

    def end_one(self) -> None:
        """The oldest answer ends, and the engine begins with the next one in its queue."""
        self._tell(Finished(self.running.pop(0), 1))
        self._begin()

    def _begin(self) -> None:
        while self.queued and len(self.running) < SLOTS:
            self.running.append(self.queued.pop(0))
            self.now += 0.02
            self._tell(Progressed(self.running[-1], 1, 1))

    def _tell(self, event: Event) -> None:
        for decision in self._scheduler.handle(event, self.now):
            if isinstance(decision, Dispatch):
                self.queued.append(decision.request_id)


def test_an_overload_does_not_pile_up_in_an_engine_of_unknown_slots() -> None:
    """It would be out of reach there: late, and ahead of what comes."""
    world = Overload()
    for number in range(200):
        asked = request(f"r{number}", arrival=world.now, session=f"s{number}", ttft_s=30.0)
        world.ask(replace(asked, prompt_tokens=50, max_tokens=100))
        world.now += 0.1
        if number % 3 == 2:
            world.end_one()
    assert len(world.queued) <= 2
