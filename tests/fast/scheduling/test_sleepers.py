"""A relegated completion asleep beside an idle replica, because another one holds its document."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Origin, Request, Target
from cato_backend.scheduling import (
    Cancelled,
    Decision,
    Dispatch,
    Event,
    Finished,
    OthersRunning,
    Progressed,
    Refusal,
    Reject,
    ReplicaDown,
    ReplicaDraining,
    ReplicaUp,
    Scheduler,
    Submitted,
    WakeAt,
    Woke,
    make_policy,
)
from cato_backend.scheduling.policies.cato.relegated_queue import LONGEST_S
from cato_backend.scheduling.queue import Queue
from cato_backend.wire.headers import Task
from tests.fast.scheduling.stories import MODEL, request

SLOTS = 8
PROFILE = Profile(
    MODEL,
    "emulated",
    StepLaw("additive", base=0.020, per_new_token=0.0001),
    EngineLimits(max_num_seqs=SLOTS),
)
PROMPT = tuple(range(1, 60))
NOW = 20.0


def on_document(name: str, arrival: float) -> Request:
    """A completion that somebody typed, with a long prompt that one replica holds; in time."""
    asked = request(name, arrival=arrival, ttft_s=60.0, prompt_tokens=9000, max_tokens=500)
    origin = Origin("t", name, "")
    typed = replace(asked, task=Task.COMPLETION, supersede=True)
    return replace(typed, prompt_blocks=PROMPT, origin=origin)


class Sleep:
    """Replica `a` has the document and decodes on more than half of its slots; `b` is idle. `x` is
    too late, would run on `a` and sleeps."""

    def __init__(self) -> None:
        self.scheduler = Scheduler(make_policy("cato"))
        self.wake: float | None = None
        self.tell(ReplicaUp("a", MODEL, SLOTS, PROFILE), 0.0)
        for number in range(5):
            at = 1.0 + 2 * number
            self.begin(f"d{number}", at)
        self.tell(ReplicaUp("b", MODEL, SLOTS, PROFILE), 15.0)
        late = replace(on_document("x", 10.0), target=Target(ttft_s=1.0))
        assert self.tell(Submitted(late), NOW) == []
        assert self.pass_until(NOW + LONGEST_S / 2) == []

    def begin(self, name: str, now: float) -> list[Decision]:
        """One more decodes on `a`."""
        made = self.tell(Submitted(on_document(name, now)), now)
        return made + self.tell(Progressed(name, 1, 1), now + 1.0)

    def tell(self, event: Event, now: float) -> list[Decision]:
        """What is decided but for alarms."""
        made = self.scheduler.handle(event, now)
        self.wake = next((d.time for d in made if isinstance(d, WakeAt)), self.wake)
        return [decision for decision in made if not isinstance(decision, WakeAt)]

    def pass_until(self, time: float) -> list[Decision]:
        """What is decided when only the scheduler's own alarms ring."""
        made: list[Decision] = []
        while self.wake is not None and self.wake <= time:
            now, self.wake = self.wake, None
            made += self.tell(Woke(), now)
        return made


@pytest.fixture
def sleep(monkeypatch: pytest.MonkeyPatch) -> Sleep:
    """The story, in which somebody is asleep indeed."""
    slept: list[str] = []
    real = Queue.sleep
    monkeypatch.setattr(
        Queue, "sleep", lambda queue, name: (slept.append(name), real(queue, name))[1]
    )
    story = Sleep()
    assert set(slept) == {"x"}
    return story


def sent(decisions: list[Decision]) -> list[tuple[str, str]]:
    return [(d.request_id, d.replica_id) for d in decisions if isinstance(d, Dispatch)]


def test_it_runs_where_its_prompt_is_once_that_replica_is_idle(sleep: Sleep) -> None:
    assert sent(sleep.tell(Finished("d0", 1), NOW + 1)) == []
    assert sent(sleep.tell(Finished("d1", 1), NOW + 2)) == [("x", "a")]


def test_a_request_that_is_not_automatic_takes_any_empty_replica_at_once(sleep: Sleep) -> None:
    late = replace(on_document("y", 10.0), target=Target(ttft_s=1.0), supersede=False)
    made = sleep.tell(Submitted(late), NOW + 0.3) + sleep.pass_until(NOW + 0.31)
    assert sent(made) == [("y", "b")]


def test_it_goes_elsewhere_when_that_replica_is_full(sleep: Sleep) -> None:
    made = [d for n in range(5, SLOTS) for d in sleep.begin(f"d{n}", NOW + n)]
    made += sleep.pass_until(NOW + SLOTS + 1 + LONGEST_S)
    assert ("x", "b") in sent(made)


def test_it_goes_elsewhere_when_that_replica_takes_nothing_more(sleep: Sleep) -> None:
    made = sleep.tell(ReplicaDraining("a"), NOW + 1) + sleep.pass_until(NOW + 1 + LONGEST_S)
    assert sent(made) == [("x", "b")]


def test_it_wakes_when_others_leave_that_replica(sleep: Sleep) -> None:
    for number in range(2):
        sleep.tell(OthersRunning("a", 4), NOW + 0.3)
        assert sent(sleep.tell(Finished(f"d{number}", 1), NOW + 0.4)) == []
    made = sleep.tell(OthersRunning("a", 0), NOW + 0.5)
    assert sent(made + sleep.pass_until(NOW + 0.5 + LONGEST_S)) == [("x", "a")]


def test_without_a_replica_it_waits_for_nothing(sleep: Sleep) -> None:
    sleep.tell(ReplicaDown("b"), NOW + 0.3)
    made = sleep.tell(ReplicaDraining("a"), NOW + 0.4) + sleep.pass_until(NOW + 0.4)
    assert Reject("x", Refusal.NO_REPLICA) in made


def test_it_can_be_cancelled_in_its_sleep(sleep: Sleep) -> None:
    sleep.tell(Cancelled("x"), NOW + 0.3)
    assert sleep.scheduler.waiting(MODEL) == 0
    for number in range(5):
        assert sent(sleep.tell(Finished(f"d{number}", 1), NOW + 1)) == []


def test_queues_of_other_models_do_not_block_an_idle_replica(sleep: Sleep) -> None:
    other = replace(PROFILE, model="other")
    sleep.tell(ReplicaUp("o", "other", SLOTS, other), NOW + 0.3)
    late = replace(request("y", arrival=1.0, ttft_s=1.0), model="other")
    assert sent(sleep.tell(Submitted(late), NOW + 0.3)) == [("y", "o")]
