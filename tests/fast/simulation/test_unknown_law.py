"""Routing to replicas of which nothing is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.requests import Target
from cato_backend.scheduling import make_policy
from cato_lab.scoring.scores import score
from cato_lab.simulation.fleet import Fleet, Member
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import Arrival, MixWorkload, Poisson
from cato_lab.workloads.lengths import Context

_SLOW = Profile(
    "m",
    "emulated",
    StepLaw(
        "max",
        base=0.0074,
        weights=0.0192,
        per_new_token=1.58e-4,
        per_sequence=2e-5,
        per_kv_token=6.6e-8,
        per_attention=2e-9,
    ),
)
_SECONDS = 25.0


@dataclass(frozen=True)
class _Relaxed:
    """Four tasks with rich prompts; targets are twice as long, as replicas are half as fast."""

    duration_s: float = _SECONDS
    name: str = "relaxed"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        mix = MixWorkload(Poisson(30.0), self.duration_s, context=Context.RICH)
        for arrival in mix.arrivals(seed):
            yield arrival._replace(target=_twice(arrival.target))


def _twice(target: Target) -> Target:
    def doubled(seconds: float | None) -> float | None:
        return None if seconds is None else 2 * seconds

    return Target(
        doubled(target.ttft_s),
        doubled(target.e2e_s),
        doubled(target.worthless_after_s),
        doubled(target.tpot_s),
    )


def _goodput(told: Profile | None) -> float:
    fleet = Fleet(profile=_SLOW, mixed=(Member(_SLOW, told, _SLOW.limits.max_num_seqs),) * 4)
    outcomes = Simulator(make_policy("cato"), fleet).run(_Relaxed(), 1).outcomes
    return score(outcomes, _SECONDS).overall.goodput


def test_not_to_know_the_law_of_replicas_costs_little() -> None:
    """The first guess is 1.5 to 2 times too fast."""
    unknown, known = _goodput(None), _goodput(_SLOW)
    assert unknown > known - 0.04
