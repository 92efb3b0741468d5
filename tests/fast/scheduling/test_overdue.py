"""Replicas that take requests and answer none, told from those that are only busy."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Request, Target
from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Cause,
    Decision,
    Dispatch,
    Eject,
    Event,
    Finished,
    Limits,
    OutlierDetection,
    Progressed,
    Reason,
    Recall,
    Refusal,
    Reinstate,
    Reject,
    ReplicaUp,
    Scheduler,
    Submitted,
    SyntheticTrial,
    SyntheticTrialEnded,
    WakeAt,
    Woke,
    make_policy,
)
from tests.fast.scheduling.stories import MODEL, request

LOOK_S = 0.05
"""Between two looks at the clock."""


class Clocked:
    """A scheduler whose alarms ring. Requests are `request`s of a hundred prompt tokens."""

    def __init__(
        self, replicas: int = 2, policy: str = "round-robin", profile: Profile | None = None
    ) -> None:
        self.now = 0.0
        self.told: list[tuple[float, Decision]] = []
        self.scheduler = Scheduler(make_policy(policy))
        self._wake: float | None = None
        for index in range(replicas):
            self.tell(ReplicaUp("abcdef"[index], MODEL, 99, profile))

    def tell(self, event: Event) -> list[Decision]:
        """What is decided, without the alarms."""
        decisions = self.scheduler.handle(event, self.now)
        for decision in decisions:
            if isinstance(decision, WakeAt):
                self._wake = decision.time
        kept = [decision for decision in decisions if not isinstance(decision, WakeAt)]
        self.told += [(self.now, decision) for decision in kept]
        return kept

    def wait(self, seconds: float) -> list[Decision]:
        """What is decided meanwhile."""
        until, decided = self.now + seconds, len(self.told)
        while self._wake is not None and self._wake <= until:
            self.now, self._wake = max(self.now, self._wake), None
            self.tell(Woke())
        self.now = until
        return [decision for _, decision in self.told[decided:]]

    def ask(self, name: str, **of: object) -> str:
        """Which replica it is sent to."""
        asked = request(name, arrival=self.now, **of)  # type: ignore[arg-type]
        return self.submit(asked)

    def submit(self, asked: Request) -> str:
        """The same of any request."""
        decisions = self.tell(Submitted(asked))
        return next(d.replica_id for d in decisions if isinstance(d, Dispatch))

    def serve(self, name: str, seconds: float, attempt: int = 1, tokens: int = 1) -> None:
        """Its first token comes after so long, and then its end."""
        self.wait(seconds)
        self.tell(Progressed(name, attempt, tokens))
        self.tell(Finished(name, attempt))

    def teach(self, seconds: float = 0.03, requests: int = 8, **of: object) -> None:
        """Both replicas answer, in so much time."""
        for number in range(requests):
            self.ask(f"t{number} {self.now}", **of)
            self.serve(self.told[-1][1].request_id, seconds)  # type: ignore[union-attr]

    def when(self, kind: type[Decision]) -> float:
        """When the first decision of this kind was made."""
        return next(at for at, decision in self.told if isinstance(decision, kind))


def of(kind: type[Decision], decisions: list[Decision]) -> list[Decision]:
    return [decision for decision in decisions if isinstance(decision, kind)]


@pytest.mark.parametrize(
    ("target", "waits_s"),
    [
        (Target(ttft_s=0.25, worthless_after_s=0.5), 0.125),
        (Target(ttft_s=1.0), 0.5),
        (Target(ttft_s=20.0), 0.8),
        (Target(e2e_s=3.0), 0.75),
        (Target(e2e_s=15.0), 0.8),
    ],
)
def test_while_nothing_is_known_the_budget_says_how_long_to_wait(
    target: Target, waits_s: float
) -> None:
    fleet = Clocked()
    assert fleet.submit(replace(request("r"), target=target)) == "a"
    decisions = fleet.wait(2)
    assert decisions[:4] == [
        Eject("a", Reason.OVERDUE, 1.0, 1),
        Abort("r", 1, moved=True),
        Dispatch("r", "b", 2),
        SyntheticTrial("a"),
    ]
    prompt_s = 0.03
    assert waits_s < fleet.when(Abort) <= waits_s + prompt_s + LOOK_S


def test_a_long_prompt_explains_a_long_wait() -> None:
    fleet = Clocked()
    fleet.ask("r", prompt_tokens=100_000, ttft_s=60)
    assert fleet.wait(15) == []
    assert of(Abort, fleet.wait(10)) == [Abort("r", 1, moved=True)]


def test_a_profile_says_how_long_its_replica_takes() -> None:
    slow = Profile(MODEL, "cpu", StepLaw("additive", base=0.1, per_new_token=0.02), EngineLimits())
    fleet = Clocked(profile=slow)
    fleet.ask("r", prompt_tokens=200, ttft_s=60)
    assert fleet.wait(4) == []
    assert of(Abort, fleet.wait(2)) == [Abort("r", 1, moved=True)]


def test_what_first_tokens_took_lately_says_when_the_next_is_overdue() -> None:
    fleet = Clocked()
    fleet.teach(seconds=0.03)
    fleet.ask("r")
    began = fleet.now
    fleet.wait(1)
    assert 0.25 < fleet.when(Abort) - began < 0.4


def test_what_others_took_says_it_of_a_replica_that_never_answered() -> None:
    fleet = Clocked()
    stuck = fleet.ask("stuck", ttft_s=60)
    for number in range(8):
        name = f"r{number}"
        if fleet.ask(name, ttft_s=60) != stuck:
            fleet.serve(name, 0.02)
    fleet.wait(0.35)
    assert Abort("stuck", 1, moved=True) in [decision for _, decision in fleet.told]


def test_a_larger_prompt_takes_longer_in_proportion() -> None:
    fleet = Clocked()
    fleet.teach(seconds=0.2, prompt_tokens=1000)
    fleet.ask("large", prompt_tokens=10_000, ttft_s=60)
    assert fleet.wait(2.5) == []
    assert of(Abort, fleet.wait(1.5)) == [Abort("large", 1, moved=True)]


def test_tokens_of_other_answers_are_a_sign_of_life() -> None:
    """The engine is at work; the request waits in its queue."""
    fleet = Clocked()
    fleet.teach()
    busy = fleet.ask("long", max_tokens=1000)
    fleet.wait(0.03)
    fleet.tell(Progressed("long", 1, 1))
    fleet.ask("elsewhere")
    fleet.serve("elsewhere", 0.03)
    assert fleet.ask("queued") == busy
    for _ in range(40):
        assert fleet.wait(0.1) == []
        fleet.tell(Progressed("long", 1, 3))


def test_a_replica_where_answers_go_on_but_none_begins_is_overdue_if_elsewhere_they_do() -> None:
    fleet = Clocked()
    fleet.teach()
    busy = fleet.ask("long", max_tokens=10_000, ttft_s=60)
    fleet.wait(0.03)
    fleet.tell(Progressed("long", 1, 1))
    fleet.ask("elsewhere", ttft_s=60)
    fleet.serve("elsewhere", 0.03)
    assert fleet.ask("stuck", ttft_s=60) == busy
    for number in range(120):
        fleet.wait(0.05)
        fleet.tell(Progressed("long", 1, 1))
        name = f"other{number}"
        if fleet.ask(name, ttft_s=60) != busy:
            fleet.serve(name, 0.03)
    decisions = [decision for _, decision in fleet.told]
    assert Abort("stuck", 1, moved=True) in decisions
    assert not of(Recall, decisions), "the answer that goes on stays"


def test_a_fleet_that_is_silent_altogether_is_left_alone() -> None:
    """There is nothing better: it may be the network, or ourselves."""
    fleet = Clocked()
    fleet.teach()
    assert {fleet.ask("r1"), fleet.ask("r2")} == {"a", "b"}
    assert fleet.wait(9) == []


def test_a_single_replica_is_left_alone() -> None:
    fleet = Clocked(replicas=1)
    fleet.ask("r")
    assert fleet.wait(9) == []


def test_a_pause_of_our_own_is_not_held_against_the_replica() -> None:
    fleet = Clocked()
    fleet.teach()
    fleet.ask("r")
    fleet.now += 0.5  # The event loop was blocked: the tokens of this time have not been read yet.
    assert fleet.wait(0.0) == []
    assert fleet.tell(Progressed("r", 1, 1)) == []
    assert fleet.wait(1.0) == []


def ejected(fleet: Clocked) -> str:
    """A replica that was well has begun to hang; its request has found another."""
    fleet.teach()
    stuck = fleet.ask("r")
    fleet.wait(0.4)
    fleet.tell(Progressed("r", 2, 1))
    return stuck


def test_it_is_tried_with_a_synthetic_request_and_comes_back_when_that_is_answered() -> None:
    """No client waits for a replica that hangs."""
    fleet = Clocked()
    stuck = ejected(fleet)
    for number in range(40):
        fleet.wait(0.25)
        name = f"e{number}"
        assert fleet.ask(name) != stuck
        fleet.tell(Progressed(name, 1, 1))
    assert fleet.tell(SyntheticTrialEnded(stuck, 10.0)) == [Reinstate(stuck)]
    assert {fleet.ask(f"back{i}") for i in range(2)} == {"a", "b"}


def test_it_is_tried_again_ever_more_rarely() -> None:
    fleet = Clocked()
    stuck = ejected(fleet)
    fleet.wait(60)
    times = [at for at, decision in fleet.told if decision == SyntheticTrial(stuck)]
    gaps = [round(later - at) for at, later in itertools.pairwise(times)]
    assert gaps == list(range(1, 11))


def test_a_late_answer_of_its_own_brings_it_back_too() -> None:
    fleet = Clocked()
    fleet.teach()
    worthless = fleet.ask("begun", max_tokens=100)
    fleet.wait(0.03)
    fleet.tell(Progressed("begun", 1, 1))
    fleet.ask("elsewhere")
    fleet.serve("elsewhere", 0.03)
    assert fleet.ask("stuck") == worthless
    fleet.wait(0.5)
    assert fleet.scheduler.outlier_record(worthless).reason is Reason.OVERDUE
    assert Reinstate(worthless) in fleet.tell(Finished("begun", 1))


def test_a_replica_that_takes_no_synthetic_request_gets_one_of_a_client_at_a_time() -> None:
    fleet = Clocked()
    stuck = ejected(fleet)
    assert fleet.tell(SyntheticTrialEnded(stuck, None)) == []
    well = "b" if stuck == "a" else "a"
    assert [fleet.ask(f"e{i}") for i in range(3)] == [well] * 3
    fleet.tell(Progressed("e0", 1, 1))
    fleet.wait(1.0)
    assert fleet.ask("trial") == stuck
    assert fleet.ask("beside") == well
    fleet.wait(0.03)
    assert fleet.tell(Progressed("trial", 1, 1)) == [Reinstate(stuck)]
    assert {fleet.ask(f"back{i}") for i in range(2)} == {"a", "b"}


def test_a_trial_that_is_overdue_moves_too_and_the_next_comes_later() -> None:
    fleet = Clocked()
    stuck = ejected(fleet)
    fleet.tell(SyntheticTrialEnded(stuck, None))
    rests = [1.0]
    for number in range(3):
        fleet.wait(rests[-1])
        name = f"trial{number}"
        asked_at = fleet.now
        assert fleet.ask(name) == stuck
        decisions = fleet.wait(1.0)
        assert Abort(name, 1, moved=True) in decisions
        moved_at = next(at for at, d in fleet.told if d == Abort(name, 1, moved=True))
        assert moved_at - asked_at < 0.95
        rests += [d.rest_s for d in decisions if isinstance(d, Eject)]
        fleet.tell(Progressed(name, 2, 1))
    assert rests == [1.0, 2.0, 3.0, 4.0]


def test_what_a_trial_took_says_how_much_slower_the_replica_is() -> None:
    """Else a slow replica beside fast ones would be ejected with every request."""
    fleet = Clocked()
    slow = "a"
    for number in range(8):
        name = f"r{number}"
        if fleet.ask(name, ttft_s=60) != slow:
            fleet.serve(name, 0.02)
    for _ in range(50):
        for decision in fleet.wait(0.01):
            if isinstance(decision, Dispatch):
                fleet.serve(decision.request_id, 0.02, decision.attempt)
    assert Eject(slow, Reason.OVERDUE, 1.0, 1) in [decision for _, decision in fleet.told]
    fleet.tell(SyntheticTrialEnded(slow, 0.2))
    name = "again"
    while fleet.ask(name, ttft_s=60) != slow:
        fleet.tell(Progressed(name, 1, 1))
        name += "+"
    assert not of(Abort, fleet.wait(1.5))


def test_a_request_moves_twice_at_most() -> None:
    limits = OutlierDetection(max_ejection_percent=100, base_ejection_s=1)
    fleet = Clocked(replicas=4)
    fleet.scheduler = Scheduler(make_policy("round-robin"), Limits(outliers=limits))
    for name in "abcd":
        fleet.tell(ReplicaUp(name, MODEL, 99))
    fleet.ask("r", ttft_s=60)
    moved = of(Abort, fleet.wait(10))
    assert moved == [Abort("r", 1, moved=True), Abort("r", 2, moved=True)]


def test_what_is_of_no_use_any_more_is_refused_and_not_moved() -> None:
    fleet = Clocked()
    fleet.teach(seconds=0.4)
    fleet.ask("r", ttft_s=0.25, worthless_after_s=0.5)
    decisions = fleet.wait(2)
    assert Reject("r", Refusal.EXPIRED) in decisions
    assert Abort("r", 1) in decisions


def test_an_answer_that_has_begun_is_recalled_once_from_a_replica_that_is_overdue() -> None:
    fleet = Clocked()
    fleet.teach()
    stuck = fleet.ask("begun", max_tokens=100)
    fleet.wait(0.03)
    fleet.tell(Progressed("begun", 1, 4))
    fleet.ask("elsewhere")
    fleet.serve("elsewhere", 0.03)
    assert fleet.ask("queued") == stuck
    decisions = fleet.wait(3)
    assert of(Recall, decisions) == [Recall("begun", 1)]
    [again] = of(Dispatch, fleet.tell(AttemptFailed("begun", 1, cause=Cause.RECALLED)))
    assert isinstance(again, Dispatch)
    assert (again.request_id, again.attempt) == ("begun", 2)
    assert again.replica_id != stuck


def test_answers_that_stand_still_are_recalled_though_nothing_waits_there() -> None:
    fleet = Clocked()
    fleet.teach()
    stuck = fleet.ask("begun", max_tokens=100)
    fleet.wait(0.03)
    fleet.tell(Progressed("begun", 1, 4))
    assert fleet.wait(2.5) == []
    assert fleet.wait(1.0) == [Recall("begun", 1)]
    decisions = fleet.tell(AttemptFailed("begun", 1, cause=Cause.RECALLED))
    assert of(Eject, decisions) == [Eject(stuck, Reason.OVERDUE, 1.0, 1)]


def test_an_answer_that_comes_whole_shows_nothing_before_its_end() -> None:
    fleet = Clocked()
    whole = replace(request("w", ttft_s=2, max_tokens=500), streams=False)
    fleet.submit(whole)
    assert fleet.wait(7) == []
    assert of(Abort, fleet.wait(4)) == [Abort("w", 1, moved=True)]


def test_what_whole_answers_took_says_it_of_the_next() -> None:
    fleet = Clocked()
    for number in range(10):
        name = f"w{number}"
        fleet.submit(replace(request(name, arrival=fleet.now, max_tokens=500), streams=False))
        fleet.serve(name, 0.4, tokens=50)
    whole = replace(request("w", arrival=fleet.now, max_tokens=500), streams=False)
    fleet.submit(whole)
    assert fleet.wait(0.6) == []
    assert of(Abort, fleet.wait(0.5)) == [Abort("w", 1, moved=True)]


def test_nothing_moves_where_that_is_switched_off() -> None:
    fleet = Clocked()
    off = Limits(outliers=OutlierDetection(overdue=False))
    fleet.scheduler = Scheduler(make_policy("round-robin"), off)
    for name in "ab":
        fleet.tell(ReplicaUp(name, MODEL, 99))
    fleet.ask("r")
    assert fleet.wait(20) == []
