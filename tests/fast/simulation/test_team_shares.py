"""Teams in virtual time: what one person's flood costs others, weights, priorities and budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest

from cato_backend.requests import Share
from cato_backend.scheduling import make_policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.scores import score
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import FLOOD, Arrival, FloodWorkload, MixWorkload
from cato_lab.workloads.processes import Poisson

FLOODED = FloodWorkload(users=20, rate=0.5, duration_s=25)
ALONE = replace(FLOODED, times=0)
FLEET = Fleet(replicas=4)


@dataclass(frozen=True, slots=True)
class InTeams:
    """A workload whose tokens belong to people of teams."""

    base: FloodWorkload | MixWorkload
    team_of: Callable[[Arrival], str]
    shares: Mapping[str, Share] = field(default_factory=dict[str, Share])
    name: str = "teams"

    @property
    def duration_s(self) -> float:
        return self.base.duration_s

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        for arrival in self.base.arrivals(seed):
            team = self.team_of(arrival)
            share = self.shares.get(team, Share())
            tenant = arrival.tenant or arrival.session
            yield arrival._replace(team=team, share=share, tenant=tenant)


def outcomes(workload: InTeams, fleet: Fleet = FLEET, seed: int = 1) -> list[Outcome]:
    return list(Simulator(make_policy("cato"), fleet).run(workload, seed).outcomes)


def goodput_of_others(found: list[Outcome]) -> float:
    """In percent."""
    others = [each for each in found if each.arrival.tenant != FLOOD]
    return 100 * score(others, FLOODED.duration_s).overall.goodput


def two_teams(arrival: Arrival) -> str:
    """The flood, and every second of the others, are of one team."""
    return "web" if arrival.tenant == FLOOD or int(arrival.session[-1]) % 2 else "api"


def test_one_person_at_fifty_times_the_load_costs_others_at_most_two_points() -> None:
    """Those of the same team and those of another one."""
    alone, beside = list[Outcome](), list[Outcome]()
    for seed in range(5):
        alone += outcomes(InTeams(ALONE, two_teams), seed=seed)
        beside += outcomes(InTeams(FLOODED, two_teams), seed=seed)
    assert goodput_of_others(alone) > 97
    assert goodput_of_others(beside) >= goodput_of_others(alone) - 2


def test_a_flood_over_its_budget_costs_others_next_to_nothing() -> None:
    """And gets what they leave."""

    def team_of(arrival: Arrival) -> str:
        return "spent" if arrival.tenant == FLOOD else "web"

    alone = goodput_of_others(outcomes(InTeams(ALONE, team_of)))
    found = outcomes(InTeams(FLOODED, team_of, {"spent": Share(over_budget=True)}))
    assert goodput_of_others(found) >= alone - 0.5
    assert sum(each.arrival.tenant == FLOOD and each.tokens > 0 for each in found) > 50


OVERLOAD = MixWorkload(Poisson(25), 20, shares={Task.GENERATION: 1.0}, sessions=16)


def halves(arrival: Arrival) -> str:
    return "a" if int(arrival.session[-1]) % 2 else "b"


def tokens_of_first(shares: Mapping[str, Share]) -> float:
    """The part of all output tokens that the first of two teams received, of one busy replica."""
    served = {"a": 0, "b": 0}
    for each in outcomes(InTeams(OVERLOAD, halves, shares), Fleet(replicas=1)):
        served[each.arrival.team] += each.tokens
    return served["a"] / sum(served.values())


def test_under_overload_teams_get_what_their_weights_say() -> None:
    assert tokens_of_first({}) == pytest.approx(0.5, abs=0.05)
    assert tokens_of_first({"a": Share(team_weight=3.0)}) > 0.6
    assert tokens_of_first({"a": Share(priority=1)}) > 0.6
    assert tokens_of_first({"a": Share(over_budget=True)}) < 0.2
