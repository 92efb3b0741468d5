"""Scaling rules compared at equal goodput, in virtual time: `python -m bench.provisioning TRACE`.

Each rule runs with several settings; its settings make a curve of goodput against replica-seconds,
and rules are compared where their curves reach the same goodput. The router is the same for all.
"""

from __future__ import annotations

import argparse
import json
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.clairvoyant import Clairvoyant, Foresight
from bench.machine import save
from bench.provisioning_report import tables
from cato_backend.commands.arguments import output_file
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning import Bounds, Provisioner, ScalingRule
from cato_backend.provisioning.rules.base import StaticPeak
from cato_backend.provisioning.rules.planned import Planned, PlannedSettings
from cato_backend.scheduling import Setup, make_policy
from cato_lab.scaling_rules.reactive import (
    QueueLength,
    QueueLengthSettings,
    RayTtft,
    RayTtftSettings,
)
from cato_lab.scaling_rules.remaining_slack import RemainingSlack, RemainingSlackSettings
from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.scores import Capacity, score
from cato_lab.simulation.fleet import REFERENCE, Fleet
from cato_lab.simulation.scaling import ScaledSimulator
from cato_lab.workloads import MixWorkload, TraceWorkload, load_trace
from cato_lab.workloads.arrival import Workload
from cato_lab.workloads.processes import DayCurve

RESULTS = Path(__file__).parent / "results/provisioning.json"
ROUTER = "cato"
MOST = 16
DAY = {"rate": 6.0, "duration_s": 3600.0}
TRACE_S = 1420.0
BUSIEST_S = 150.0
"""The stretch that a static fleet for the peak is measured by: an hour of the pressed day."""
LONGEST_PROMPT = 1024
"""Tokens: with the trace's own, half of the completions would miss on an idle reference replica."""

_FORESIGHTS = (
    *((6.0, 3.0), (5.0, 3.0), (4.0, 4.0), (3.0, 6.0)),
    *((2.5, 8.0), (2.0, 8.0), (2.0, 12.0)),
)
SETTINGS: dict[str, tuple[Any, ...]] = {
    "planned": tuple(
        PlannedSettings(goodput, patience_s=patience_s)
        for goodput in (0.6, 0.8, 0.9, 0.97, 0.99)
        for patience_s in (60.0, 300.0)
    ),
    "static": (2, 3, 4, 5, 7, 9),
    "clairvoyant": tuple(Foresight(per_replica, worth) for per_replica, worth in _FORESIGHTS),
    "queue-length": tuple(
        QueueLengthSettings(target, look_back_s=look, upscale_delay_s=up, downscale_delay_s=down)
        for target, look, up, down in (
            (4, 10.0, 0.0, 60.0),
            (8, 10.0, 0.0, 60.0),
            (16, 10.0, 0.0, 60.0),
            (4, 30.0, 30.0, 600.0),
            (16, 30.0, 30.0, 600.0),
        )
    ),
    "ray-ttft": tuple(
        RayTtftSettings(upper, lower) for upper, lower in ((0.4, 0.15), (0.7, 0.3), (1.0, 0.5))
    ),
    "remaining-slack": tuple(
        RemainingSlackSettings(weight, slots=slots) for weight, slots in ((1.0, 4), (1.0, 16))
    ),
}


@dataclass(frozen=True)
class Case:
    """One run."""

    workload_name: str
    workload: Workload
    start_s: float
    rule: str
    setting: int
    seed: int


def _knowing(profile: Profile, foresight: Foresight, case: Case) -> ScalingRule:
    times = (arrival.time for arrival in case.workload.arrivals(case.seed))
    return Clairvoyant(times, profile.start_s, MOST, foresight)


MAKERS: dict[str, Callable[[Profile, Any, Case], ScalingRule]] = {
    "planned": lambda profile, settings, _: Planned(profile, settings),
    "static": lambda _, count, __: StaticPeak(count),
    "clairvoyant": _knowing,
    "queue-length": lambda _, settings, __: QueueLength(settings),
    "ray-ttft": lambda _, settings, __: RayTtft(settings),
    "remaining-slack": lambda _, settings, __: RemainingSlack(settings),
}


def busiest(outcomes: Sequence[Outcome], width_s: float) -> Sequence[Outcome]:
    """Those that arrived in the stretch of this width with the most arrivals."""
    ordered = sorted(outcomes, key=lambda each: each.arrival.time)
    times = [each.arrival.time for each in ordered]
    ends = [bisect_left(times, time + width_s) for time in times]
    begin = max(range(len(times)), key=lambda place: ends[place] - place)
    return ordered[begin : ends[begin]]


def run(case: Case) -> dict[str, Any]:
    """What the run came to."""
    # The simulated replicas are as fast as the profile says, so that it is no estimate.
    profile = replace(REFERENCE, start_s=case.start_s, spread=0.0)
    setting = SETTINGS[case.rule][case.setting]
    rule = MAKERS[case.rule](profile, setting, case)
    begin = setting if case.rule == "static" else 3
    fleet = Fleet(replicas=begin, profile=profile)
    provisioner = Provisioner(profile.model, Bounds(1, MOST), rule)
    simulator = ScaledSimulator(make_policy(ROUTER, Setup(seed=case.seed)), fleet, provisioner)
    done = simulator.run_scaled(case.workload, case.seed)
    duration_s = case.workload.duration_s
    capacity = Capacity(done.replica_s, profile, done.run.busy_s)
    found = score(done.run.outcomes, duration_s, capacity)
    peak = score(busiest(done.run.outcomes, BUSIEST_S), BUSIEST_S)
    return {
        "workload": case.workload_name,
        "start_s": case.start_s,
        "rule": case.rule,
        "setting": str(setting),
        "seed": case.seed,
        "goodput": round(found.overall.goodput, 4),
        "classes": {task.value: round(each.goodput, 4) for task, each in found.classes.items()},
        "peak_goodput": round(peak.overall.goodput, 4),
        "mean_replicas": round(done.replica_s / duration_s, 3),
        "utilization": round(found.utilization, 4),
        "moves": len(done.plans),
    }


def cases(trace: Path, seeds: Sequence[int]) -> Iterator[Case]:
    """Every run: the day's curve, and the trace with a slow and with a fast start."""
    rows = load_trace(trace)
    rate = len(rows) / (rows[-1].time - rows[0].time)
    replay = TraceWorkload(rows, rate, TRACE_S, longest_prompt=LONGEST_PROMPT)
    workloads: list[tuple[str, Workload, float]] = [
        ("azure replay", replay, 60.0),
        ("day's curve", MixWorkload(DayCurve(DAY["rate"]), DAY["duration_s"]), 15.0),
        ("azure replay", replay, 10.0),
    ]
    for seed in seeds:
        for name, workload, start_s in workloads:
            for rule, settings in SETTINGS.items():
                for number in range(len(settings)):
                    yield Case(name, workload, start_s, rule, number, seed)


def write(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """After each run, so that a broken-off benchmark has not been for nothing."""
    save(out, {"router": ROUTER, "runs": sorted(rows, key=lambda row: json.dumps(row))})


def main() -> None:
    """Runs everything, prints the tables, writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, help="Azure's CSV of 2023")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="workloads whose name begins so")
    parser.add_argument("--out", type=output_file, default=RESULTS)
    arguments = parser.parse_args()
    every = [
        case
        for case in cases(arguments.trace, arguments.seeds)
        if case.workload_name.startswith(arguments.only)
    ]
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run, case) for case in every]):
            rows.append(done.result())
            sys.stderr.write(f"\r{len(rows)}/{len(every)} runs")
            write(rows, arguments.out)
    print(tables(rows))


if __name__ == "__main__":
    main()
