"""A simulated fleet that follows a provisioner: nothing is lost while it grows and shrinks."""

from __future__ import annotations

from cato_backend.provisioning import Bounds, FleetState, Provisioner, Wanted
from cato_backend.provisioning.rules.base import IgnoresTraffic
from cato_backend.scheduling import make_policy
from cato_lab.scoring.outcome import Ending
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.scaling import ScaledRun, ScaledSimulator
from cato_lab.workloads import MixWorkload, Poisson
from tests.fast.provisioning.traffic import PROFILE


class Scripted(IgnoresTraffic):
    """Wants what the script says from each time on."""

    def __init__(self, *script: tuple[float, int]) -> None:
        self.script = script
        self.seen: list[FleetState] = []

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        self.seen.append(fleet)
        count = [count for time, count in self.script if time <= now][-1]
        return Wanted(count, "so it is written")


def run(rule: Scripted, seconds: float = 60.0) -> ScaledRun:
    provisioner = Provisioner(PROFILE.model, Bounds(1, 8), rule)
    simulator = ScaledSimulator(make_policy("least-requests"), Fleet(2, PROFILE), provisioner)
    return simulator.run_scaled(MixWorkload(Poisson(3.0), seconds), seed=1)


def test_a_steady_fleet_costs_its_count() -> None:
    assert abs(run(Scripted((0.0, 2))).replica_s - 2 * 60) <= 2


def test_replicas_take_their_time_to_start_and_are_paid_for_meanwhile() -> None:
    rule = Scripted((0.0, 2), (10.0, 4))
    done = run(rule)
    states = rule.seen
    assert states[12].starting == 2
    assert states[12].ready == 2
    assert states[40].ready == 4
    assert abs(done.replica_s - (2 * 60 + 2 * 50)) <= 4
    assert [(plan.time, plan.target) for plan in done.plans] == [(1.0, 2), (10.0, 4)]


def test_shrinking_drains_and_loses_nothing() -> None:
    rule = Scripted((0.0, 2), (20.0, 1))
    done = run(rule)
    assert rule.seen[40].ready == 1
    assert {each.ending for each in done.run.outcomes} == {Ending.FINISHED}
    assert done.replica_s < 2 * 60 - 25


def test_starting_ones_are_given_up_first() -> None:
    rule = Scripted((0.0, 2), (10.0, 5), (15.0, 2))
    run(rule)
    assert all(state.ready == 2 for state in rule.seen)
    assert rule.seen[20].starting == 0
