"""The highest load that a world's replicas bear under a router without a model of them."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from bench.arena.demand import Arrivals
from bench.arena.traffic import Traffic
from bench.arena.worlds import World
from cato_backend.scheduling import Setup, make_policy
from cato_lab.scoring.scores import score
from cato_lab.simulation.fleet import STEADY, Fleet
from cato_lab.simulation.simulator import Simulator

POLICY = "prefix-affinity-priorities"
GOODPUT = 0.95
_UNLOADED = 0.1
"""Of the throughput: what is missed there is missed at every load."""
_STEP = 1.6
_MOST_STEPS = 6
_FEWEST, _SHORTEST_S, _MOST = 250, 10.0, 700


def knee(world: World) -> float:
    """Requests per second, to some 15%, with Poisson arrivals and without any trouble."""
    quiet = replace(world.demand, arrivals=Arrivals.POISSON)
    fleet = _untroubled(world.fleet)
    goal = GOODPUT * _goodput(fleet, Traffic(quiet, *_size(_UNLOADED * world.capacity)))
    rate = 0.6 * world.capacity
    good = bad = 0.0
    for _ in range(_MOST_STEPS):
        if _goodput(fleet, Traffic(quiet, *_size(rate))) >= goal:
            good = rate
        else:
            bad = rate
        if good and bad:
            break
        rate = rate * _STEP if good else rate / _STEP
    return sqrt(good * bad) if good and bad else good or bad


def _size(rate: float) -> tuple[float, float]:
    """The rate, and for how long: enough requests to tell, not more than needed."""
    return rate, min(max(_FEWEST / rate, _SHORTEST_S), _MOST / rate)


def _goodput(fleet: Fleet, traffic: Traffic) -> float:
    run = Simulator(make_policy(POLICY, Setup(1)), fleet).run(traffic, seed=1)
    found = score(run.outcomes, traffic.duration_s).overall.goodput
    return found if found == found else 0.0


def _untroubled(fleet: Fleet) -> Fleet:
    members = tuple(replace(member, speed=STEADY, ready_s=0.0) for member in fleet.members)
    return replace(fleet, mixed=members, kills=())
