"""Calibrations in virtual time: what they teach, and what they cost those who ask meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import pytest

from cato_backend.prediction.calibration import LONGEST_S
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.requests import Target
from cato_backend.scheduling import ReplicaUp, make_policy
from cato_backend.scheduling.replica import ReplicaLoad
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.simulation import simulator
from cato_lab.simulation.fleet import REFERENCE, Fleet, Member
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import Arrival


@dataclass(frozen=True, slots=True)
class At:
    """Requests of 500 tokens at these times."""

    times: tuple[float, ...]
    duration_s: float = 10.0
    name: str = "given times"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        for number, time in enumerate(self.times):
            yield Arrival(str(number), time, Task.GENERATION, 500, 20, 64, Target(ttft_s=1.0))


class Site(Simulator):
    """One replica of which nothing is told, and what is known of it at the end."""

    def __init__(self, *, calibrates: bool, profile: Profile = REFERENCE) -> None:
        member = Member(profile, None, 64)
        fleet = Fleet(mixed=(member,), calibrates=calibrates)
        super().__init__(make_policy("least-requests"), fleet)

    @property
    def load(self) -> ReplicaLoad:
        (load,) = self._scheduler.replicas
        return load


def ran(
    *times: float, calibrates: bool, profile: Profile = REFERENCE
) -> tuple[Site, list[Outcome]]:
    site = Site(calibrates=calibrates, profile=profile)
    return site, site.run(At(times), seed=1).outcomes


def test_a_replica_is_known_before_anything_is_asked_of_it() -> None:
    site, _ = ran(calibrates=True)
    law = site.load.learned.belief.law
    for tokens in (1, 300, 1200):
        assert law.seconds(tokens, 1, tokens) == pytest.approx(0.020 + 1e-4 * tokens, rel=0.15)
    age_s = site.load.learned.age_s(10.0)
    assert age_s is not None
    assert age_s >= 10.0 - LONGEST_S - 0.1
    assert len(site.load.probes) == 0
    assert site.load.running == 0


@pytest.mark.parametrize("times", [0.1, 3, 10, 20])
def test_what_was_kept_of_a_busy_day_is_replaced(
    times: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was measured before, one start is enough to learn how fast the replica is now."""
    slow = StepLaw("additive", base=times * 0.020, per_new_token=times * 1e-4)
    before, _ = ran(calibrates=True, profile=replace(REFERENCE, law=slow))
    kept = before.load.learned.kept(10.0)._replace(age_s=3600.0)
    assert LearnedLaw(None, kept).law.seconds(1, 1, 16) == pytest.approx(times * 0.020, rel=0.15)
    monkeypatch.setattr(simulator, "ReplicaUp", partial(ReplicaUp, kept=kept))
    again, _ = ran(calibrates=True)
    assert again.load.learned.law.seconds(1, 1, 16) == pytest.approx(0.020, rel=0.15)


@pytest.mark.parametrize("at", [0.01, 0.1, 0.33, 0.7, 1.3, 2.2])
def test_who_asks_meanwhile_waits_for_the_step_under_way_at_most(at: float) -> None:
    """The longest step of a probe takes a quarter of a second."""
    _, (without,) = ran(at, calibrates=False)
    site, (with_it,) = ran(at, calibrates=True)
    assert without.first_token_s is not None
    assert with_it.first_token_s is not None
    assert with_it.first_token_s - without.first_token_s <= 0.26
    assert len(site.load.probes) == 0


def test_it_does_not_begin_where_requests_wait_already() -> None:
    site, _ = ran(0.0, 0.2, calibrates=True)
    quiet, _ = ran(0.0, 0.2, calibrates=False)
    assert site.load.learned.windows <= quiet.load.learned.windows + 1
