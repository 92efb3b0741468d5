"""One model's provisioner among those of others: idle models, and what it learns from."""

from __future__ import annotations

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning import Bounds, FleetState, Provisioner, Wanted, make_rule
from cato_backend.provisioning.rules.base import AnsweredRequest
from cato_backend.requests import Request
from cato_backend.scheduling import Refusal, Reject, Submitted
from tests.fast.provisioning.traffic import NO_DECISIONS, PROFILE, request


def test_a_model_that_nothing_is_asked_of_has_as_few_as_it_may() -> None:
    """From when its first replica is ready; a request, a start and what runs begin it again."""
    rule = make_rule("static", PROFILE, {"replicas": 2})
    provisioner = Provisioner(PROFILE.model, Bounds(0, 2), rule, idle_s=10)
    ready, none = FleetState(ready=2), FleetState(ready=0)

    def target(fleet: FleetState, now: float) -> int:
        return provisioner.decide(fleet, now).target

    assert [target(none, 0.0), target(none, 50.0)] == [2, 2]
    assert [target(ready, 60.0), target(ready, 69.0), target(ready, 70.0)] == [2, 2, 0]
    assert target(none, 80.0) == 0
    provisioner.observe(Submitted(request(1, 90.0)), NO_DECISIONS, 90.0)
    assert [target(none, 99.0), target(FleetState(0, starting=2), 105.0)] == [2, 2]
    assert target(FleetState(2, running=1), 120.0) == 2
    assert [target(ready, 129.0), target(ready, 130.0)] == [2, 0]
    assert "nothing was asked for in 10 s" in provisioner.decide(ready, 131.0).why


def test_a_model_in_use_has_one_whatever_its_rule_says() -> None:
    rule = make_rule("static", PROFILE, {"replicas": 0})
    provisioner = Provisioner(PROFILE.model, Bounds(0, 2), rule, idle_s=10)
    assert provisioner.decide(FleetState(0, waiting=1), 0.0).target == 1


def test_what_becomes_of_a_request_is_learned_from_another_model_s_event_too() -> None:
    """A completion for one model may take the place of one for another."""
    rule = Seen()
    provisioner = Provisioner(PROFILE.model, Bounds(1, 2), rule)
    provisioner.observe(Submitted(request(1, 0.0)), NO_DECISIONS, 0.0)
    other = request(2, 0.1, model="other")
    provisioner.observe(Submitted(other), [Reject("1", Refusal.SUPERSEDED)], 0.1)
    assert [answer.request.id for answer in rule.answers] == ["1"]
    assert rule.arrivals == ["1"]


class Seen:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.arrivals: list[str] = []
        self.answers: list[AnsweredRequest] = []

    def arrived(self, request: Request, now: float) -> None:
        self.arrivals.append(request.id)

    def answered(self, answer: AnsweredRequest, now: float) -> None:
        self.answers.append(answer)

    def learned(self, profile: Profile) -> None: ...

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        return Wanted(1, "told")
