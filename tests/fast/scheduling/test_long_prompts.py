"""What long prompts and agents may have of each replica under `cato`, and that they get it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.prediction.service import ServiceModel
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Request, Target
from cato_backend.scheduling import (
    Cancelled,
    Decision,
    Dispatch,
    Event,
    Finished,
    Limits,
    LongPromptLimits,
    Progressed,
    ReplicaUp,
    Scheduler,
    Setup,
    Submitted,
    WakeAt,
    Woke,
    make_policy,
)
from cato_backend.scheduling.policies.cato import RELEGATED_PRIORITY
from cato_backend.scheduling.policies.cato.long_prefills import LongPrefills
from cato_backend.wire.headers import Task
from tests.fast.scheduling.stories import MODEL, request

LAW = StepLaw("additive", base=0.010, per_new_token=0.00005)
LIMITS = EngineLimits(
    max_num_seqs=16, max_num_batched_tokens=2048, kv_tokens=600_000, max_model_len=200_000
)
BESIDE = replace(LIMITS, long_prefill_token_threshold=256)
LONG, SHORT = 60_000, 100
"""Tokens: 3.3 seconds, and half a step."""
DOCUMENT = tuple(range(200))


class Fleet:
    """Replicas `a`, `b`, ..., all alike. Each runs a stream already, so that none is idle."""

    def __init__(
        self, replicas: int = 1, limits: EngineLimits = LIMITS, **long: float | int
    ) -> None:
        self.bounds = LongPromptLimits(**long)  # type: ignore[arg-type]
        policy = make_policy("cato", Setup(long_prompts=self.bounds))
        self.scheduler = Scheduler(policy, Limits(long_prompts=self.bounds))
        self.places: dict[str, str] = {}
        self.priorities: dict[str, int] = {}
        self.wake: float | None = None
        for name in "abcdefgh"[:replicas]:
            self.tell(ReplicaUp(name, MODEL, 16, Profile(MODEL, "emulated", LAW, limits)))
        for number in range(replicas):
            self.ask(request(f"stream {number}", prompt_tokens=SHORT, max_tokens=4000))
        for number in range(replicas):
            self.begin(f"stream {number}")
        assert {r.running for r in self.scheduler.replicas} == {1}

    def tell(self, event: Event, now: float = 0.0) -> list[Decision]:
        """Keeps where requests went, and when the scheduler wants to be woken."""
        decisions = self.scheduler.handle(event, now)
        for decision in decisions:
            if isinstance(decision, Dispatch):
                self.places[decision.request_id] = decision.replica_id
                self.priorities[decision.request_id] = decision.priority
            elif isinstance(decision, WakeAt):
                self.wake = decision.time
        return decisions

    def ask(self, asked: Request, now: float = 0.0) -> str | None:
        """Where it is sent; None where it is kept."""
        self.tell(Submitted(replace(asked, arrival=now)), now)
        return self.places.get(asked.id)

    def begin(self, name: str, now: float = 0.1) -> None:
        """Its first token comes."""
        self.tell(Progressed(name, 1, 1), now)


def long(name: str, task: Task = Task.GENERATION) -> Request:
    """New to every replica."""
    asked = request(name, ttft_s=120.0, prompt_tokens=LONG)
    return replace(asked, task=task, context_tokens=LONG + 10)


def turn(name: str, tokens: int = SHORT) -> Request:
    """An agent's."""
    return replace(request(name, ttft_s=120.0, prompt_tokens=tokens), task=Task.AGENT)


def completion(name: str) -> Request:
    return replace(request(name, ttft_s=0.25, prompt_tokens=SHORT), task=Task.COMPLETION)


@pytest.mark.parametrize("limits", [LIMITS, BESIDE])
def test_a_replica_computes_one_long_prompt_at_once(limits: EngineLimits) -> None:
    fleet = Fleet(limits=limits)
    assert fleet.ask(long("first")) == "a"
    assert fleet.ask(long("second")) is None
    fleet.begin("first", now=4.0)
    assert fleet.places["second"] == "a"


def test_the_next_one_goes_when_the_first_is_taken_back() -> None:
    fleet = Fleet()
    fleet.ask(long("first"))
    fleet.ask(long("second"))
    fleet.tell(Cancelled("first"), now=1.0)
    assert fleet.places["second"] == "a"


def test_any_number_if_configured() -> None:
    fleet = Fleet(limits=BESIDE, per_replica=0)
    assert [fleet.ask(long(f"l{number}")) for number in range(4)] == ["a"] * 4


def test_a_part_of_the_replicas_goes_on_with_what_is_short() -> None:
    """Of those whose engines compute nothing else beside a long prompt."""
    fleet = Fleet(8)
    sent = [fleet.ask(long(f"l{number}")) for number in range(8)]
    assert len({place for place in sent if place}) == len([place for place in sent if place]) == 2
    beside = Fleet(8, BESIDE)
    assert len({beside.ask(long(f"l{number}")) for number in range(8)}) == 8


@pytest.mark.parametrize("limits", [LIMITS, BESIDE])
def test_an_idle_replica_takes_any(limits: EngineLimits) -> None:
    fleet = Fleet(2, limits, replica_share=0.0)
    assert fleet.ask(long("first")) is not None
    fleet.tell(ReplicaUp("z", MODEL, 16, Profile(MODEL, "emulated", LAW, limits)))
    assert fleet.ask(long("second")) is not None
    assert "z" in (fleet.places["first"], fleet.places["second"])


def test_nothing_waits_for_ever() -> None:
    fleet = Fleet(limits=BESIDE, patience_s=20.0)
    fleet.ask(long("first"))
    assert fleet.ask(long("second"), now=1.0) is None
    assert fleet.wake is not None
    assert fleet.wake <= 21.0
    fleet.tell(Woke(), now=20.9)
    assert "second" not in fleet.places
    fleet.tell(Woke(), now=21.0)
    assert fleet.places["second"] == "a"


def test_a_crowd_is_served_one_after_the_other() -> None:
    """Each look refuses a few of them and leaves the rest: none is forgotten."""
    fleet = Fleet(limits=BESIDE, patience_s=1000.0)
    names = [f"l{number}" for number in range(30)]
    for name in names:
        fleet.ask(long(name))
    for number in range(30):
        (running,) = [n for n in names if n in fleet.places]
        fleet.begin(running, now=1.0 * number)
        fleet.tell(Finished(running, 1), now=1.0 * number)
        names.remove(running)
    assert not names


def test_a_cached_prompt_is_not_long_and_goes_where_it_is() -> None:
    """Also while others would have to compute it, and are free to."""
    fleet = Fleet(2, BESIDE)
    blocks = replace(turn("t1", LONG), prompt_blocks=DOCUMENT)
    holder = fleet.ask(blocks)
    assert holder is not None
    fleet.begin("t1", now=10.0)
    assert fleet.ask(long("other"), now=11.0) is not None
    assert fleet.ask(replace(blocks, id="t2"), now=11.1) == holder


def test_agents_leave_slots_to_others() -> None:
    """Also those that have no time to wait for others."""
    fleet = Fleet()
    sent: list[str | None] = []
    for number in range(13):
        now = 0.2 + number
        hurried = replace(turn(f"t{number}"), arrival=now, target=Target(e2e_s=0.3))
        sent.append(fleet.ask(hurried, now))
    for number in range(13):
        if f"t{number}" in fleet.places:
            fleet.begin(f"t{number}", now=20.0)
    assert len(fleet.places) - 1 == 12, sent
    assert fleet.ask(completion("typed"), now=20.1) == "a"


def test_agents_leave_a_part_of_the_cache_to_others() -> None:
    fleet = Fleet(limits=replace(BESIDE, kv_tokens=100_000))
    assert fleet.ask(turn("t1", 50_000)) == "a"
    fleet.begin("t1", now=5.0)
    assert fleet.ask(turn("t2", 30_000), now=5.1) is None
    assert fleet.ask(completion("typed"), now=5.2) == "a"


def test_what_agents_hold_is_theirs_only_while_it_runs() -> None:
    fleet = Fleet(limits=replace(BESIDE, kv_tokens=100_000))
    fleet.ask(turn("t1", 50_000))
    fleet.ask(turn("t2", 30_000))
    fleet.tell(Cancelled("t1"), now=1.0)
    assert fleet.places["t2"] == "a"


def test_a_threshold_lets_others_be_computed_beside_a_long_prompt() -> None:
    """Without one, a completion has no chance there."""
    beside, behind = Fleet(limits=BESIDE), Fleet()
    for fleet in (beside, behind):
        fleet.ask(long("long"))
        fleet.ask(completion("typed"), now=0.5)
    assert beside.places["typed"] == "a"
    assert beside.priorities["typed"] < RELEGATED_PRIORITY
    assert "typed" not in behind.places


def prefills(limits: EngineLimits) -> LongPrefills:
    """Of a replica, with a long prompt since 10.0 that takes 3.3 seconds alone."""
    found = LongPrefills(ServiceModel(LAW, limits), 2.0)
    found.add("long", LONG, 0, 10.0, 3.3)
    return found


def test_the_longer_a_prompt_has_been_computed_the_sooner_it_is_done() -> None:
    found = prefills(LIMITS)
    assert found.blocking_s(11.0) == pytest.approx(2.3)
    assert found.blocking_s(12.0) == pytest.approx(1.3)
    assert found.blocking_s(15.0) == pytest.approx(0.2 * 5)  # It is overdue.
    found.remove("long")
    assert (found.blocking_s(16.0), found.long, found.tokens) == (0.0, 0, 0)


def test_with_a_threshold_it_makes_steps_longer_and_blocks_none() -> None:
    found = prefills(BESIDE)
    assert (found.blocking_s(11.0), found.beside) == (0.0, 1)
    assert found.added_s(4, 1000) == pytest.approx(256 * 0.00005)
    found.remove("long")
    assert found.added_s(4, 1000) == 0.0
