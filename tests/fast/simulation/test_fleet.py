"""Replicas that differ from each other, from what the router is told, and from their own law."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.profile_files.profile import Profile
from cato_backend.scheduling import Progressed, ReplicaUp, make_policy
from cato_backend.scheduling.events import Event
from cato_lab.scoring.outcome import Outcome
from cato_lab.simulation.fleet import REFERENCE, STEADY, Fleet, Member, Slowdown, Speed
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import Arrival
from tests.fast.simulation.stories import Listed, arrival

_SLOW = replace(REFERENCE, law=replace(REFERENCE.law, base=2 * REFERENCE.law.base))


class _Listening(Simulator):
    """Keeps what the scheduler is told, and when."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(make_policy("least-requests"), fleet)
        self.told: list[tuple[float, Event]] = []

    def _tell(self, event: Event, now: float) -> None:
        self.told.append((now, event))
        super()._tell(event, now)


def _member(profile: Profile = REFERENCE, speed: Speed = STEADY, ready_s: float = 0.0) -> Member:
    return Member(profile, None, 64, speed, ready_s)


def _outcomes(fleet: Fleet, *asked: Arrival) -> dict[str, Outcome]:
    run = Simulator(make_policy("least-requests"), fleet).run(Listed(asked), 1)
    return {outcome.arrival.id: outcome for outcome in run.outcomes}


def test_each_replica_keeps_its_own_law() -> None:
    fleet = Fleet(mixed=(_member(), _member(_SLOW)), network_s=0.0)
    asked = (arrival("fast", prompt_tokens=100), arrival("slow", prompt_tokens=100))
    outcomes = _outcomes(fleet, *asked)
    assert outcomes["fast"].first_token_s == pytest.approx(0.03)
    assert outcomes["slow"].first_token_s == pytest.approx(0.05)


def test_the_router_is_told_something_else_than_the_truth() -> None:
    members = (Member(_SLOW, REFERENCE, 8), Member(REFERENCE, None, 4))
    simulator = _Listening(Fleet(mixed=members))
    simulator.run(Listed(()), 1)
    ups = [event for _, event in simulator.told if isinstance(event, ReplicaUp)]
    assert [(up.profile, up.max_running) for up in ups] == [(REFERENCE, 8), (None, 4)]


def test_a_replica_comes_up_later() -> None:
    simulator = _Listening(Fleet(mixed=(_member(), _member(ready_s=3.0))))
    simulator.run(Listed(()), 1)
    ups = [(now, event.replica_id) for now, event in simulator.told if isinstance(event, ReplicaUp)]
    assert ups == [(0.0, "r0"), (3.0, "r1")]


def test_a_neighbour_takes_half_for_a_while() -> None:
    speed = Speed(slowdowns=(Slowdown(1.0, 2.0, 0.5),))
    fleet = Fleet(mixed=(_member(speed=speed),), network_s=0.0)
    before, meanwhile, after = (arrival(f"{t}", t, output_tokens=1) for t in (0.0, 1.2, 2.5))
    outcomes = _outcomes(fleet, before, meanwhile, after)
    alone_s = 0.036
    assert outcomes["0.0"].e2e_s == pytest.approx(alone_s)
    assert outcomes["1.2"].e2e_s == pytest.approx(2 * alone_s)
    assert outcomes["2.5"].e2e_s == pytest.approx(alone_s)


def test_noise_keeps_the_mean_and_repeats_itself() -> None:
    asked = tuple(arrival(f"a{n}", n / 10, output_tokens=40) for n in range(90))
    noisy = Fleet(mixed=(_member(speed=Speed(noise=0.3, seed=1)),))
    first, again = _outcomes(noisy, *asked), _outcomes(noisy, *asked)
    assert first == again
    quiet = _outcomes(Fleet(mixed=(_member(),)), *asked)
    lasted, quietly = (sum(o.ended_s for o in each.values()) for each in (first, quiet))
    assert first["a0"].ended_s != quiet["a0"].ended_s
    assert lasted == pytest.approx(quietly, rel=0.1)


def test_a_first_token_tells_how_far_the_oldest_answer_is() -> None:
    fleet = Fleet(replicas=1, network_s=0.0, report_s=60.0)
    simulator = _Listening(fleet)
    simulator.run(Listed((arrival("old", output_tokens=60), arrival("new", 0.5))), 1)
    told = [(now, e) for now, e in simulator.told if isinstance(e, Progressed)]
    begun = next(now for now, event in told if event.request_id == "new")
    known = sum(e.tokens for now, e in told if e.request_id == "old" and now <= begun)
    # Two steps are not of the usual length: each of the two prompts is computed in one.
    steps = 1 + (begun - 0.036 - 0.0361) / 0.0201 + 1
    assert known == pytest.approx(steps, abs=1e-6)


def test_tokens_are_reported_at_the_end_of_a_step() -> None:
    simulator = _Listening(Fleet(replicas=1, network_s=0.0))
    simulator.run(Listed((arrival("a", output_tokens=60),)), 1)
    told = [(now, e.tokens) for now, e in simulator.told if isinstance(e, Progressed)]
    assert len(told) > 3
    emitted = 0
    for now, tokens in told:
        emitted += tokens
        assert now == pytest.approx(0.036 + (emitted - 1) * 0.0201)


def test_the_longest_request_fits_every_replica() -> None:
    small = replace(REFERENCE, limits=replace(REFERENCE.limits, kv_tokens=500))
    (found,) = _outcomes(
        Fleet(mixed=(_member(), _member(small))), arrival(prompt_tokens=600)
    ).values()
    assert found.reason == "too_long"
