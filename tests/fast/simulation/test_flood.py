"""One user at fifty times the load of the others, under the default policy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from cato_backend.scheduling import make_policy
from cato_lab.scoring.scores import score
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import FLOOD, FloodWorkload

WORKLOAD = FloodWorkload(duration_s=40)
MOST_POINTS_LOST = 2.0


def goodput_of_others(workload: FloodWorkload) -> float:
    """In percent."""
    outcomes = Simulator(make_policy("cato"), Fleet()).run(workload, seed=0).outcomes
    others = [outcome for outcome in outcomes if outcome.arrival.tenant != FLOOD]
    return 100 * score(others, workload.duration_s).overall.goodput


def test_a_flood_costs_the_others_little() -> None:
    alone, beside = goodput_of_others(replace(WORKLOAD, times=0)), goodput_of_others(WORKLOAD)
    assert alone - beside <= MOST_POINTS_LOST, (alone, beside)


def test_the_others_ask_the_same_beside_any_flood() -> None:
    alone = [(a.time, a.prompt_tokens) for a in replace(WORKLOAD, times=0).arrivals(3)]
    arrivals = list(WORKLOAD.arrivals(3))
    assert [(a.time, a.prompt_tokens) for a in arrivals if a.tenant != FLOOD] == alone
    counts = Counter(arrival.tenant for arrival in arrivals)
    assert 40 < counts[FLOOD] / (len(alone) / 20) < 60
    assert len(counts) == 21
    assert len({arrival.id for arrival in arrivals}) == len(arrivals)
