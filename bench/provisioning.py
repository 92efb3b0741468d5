"""Scaling rules compared at equal goodput, in virtual time: `python -m bench.provisioning TRACE`.

Each rule runs with several settings; its settings make a curve of goodput against replica-seconds,
and rules are compared where their curves reach the same goodput. The router is the same for all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from math import nan
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning import Bounds, Provisioner, ScalingRule
from cato_backend.provisioning.rules.planned import Planned, PlannedSettings
from cato_backend.provisioning.rules.queue_length import QueueLength, QueueLengthSettings
from cato_backend.provisioning.rules.ray_ttft import RayTtft, RayTtftSettings
from cato_backend.provisioning.rules.remaining_slack import RemainingSlack, RemainingSlackSettings
from cato_backend.provisioning.rules.static import StaticPeak
from cato_backend.scheduling import Setup, make_policy
from cato_backend.simulation.reference import REFERENCE
from cato_backend.simulation.scaling import ScaledSimulator
from cato_backend.simulation.scoring import Capacity, score
from cato_backend.simulation.simulator import Fleet
from cato_backend.simulation.workloads import MixWorkload, TraceWorkload, load_trace
from cato_backend.simulation.workloads.arrival import Workload
from cato_backend.simulation.workloads.processes import DayCurve

RESULTS = Path(__file__).parent / "results/provisioning.json"
ROUTER = "cato"
MOST = 16
GOODPUTS = (0.90, 0.95, 0.97)
DAY = {"rate": 6.0, "duration_s": 3600.0}
TRACE_S = 1420.0
LONGEST_PROMPT = 1024
"""Tokens: with the trace's own, half of the completions would miss on an idle reference replica."""

SETTINGS: dict[str, tuple[Any, ...]] = {
    "planned": tuple(
        PlannedSettings(goodput, patience_s=patience_s)
        for goodput in (0.8, 0.9, 0.97)
        for patience_s in (60.0, 300.0)
    ),
    "static": (2, 3, 4, 5, 7),
    "queue-length": tuple(
        QueueLengthSettings(target, look_back_s=look, upscale_delay_s=up, downscale_delay_s=down)
        for target, look, up, down in (
            (2, 10.0, 0.0, 60.0),
            (4, 10.0, 0.0, 60.0),
            (8, 10.0, 0.0, 60.0),
            (4, 30.0, 30.0, 600.0),
        )
    ),
    "ray-ttft": tuple(
        RayTtftSettings(upper, lower) for upper, lower in ((0.4, 0.15), (0.7, 0.3), (1.0, 0.5))
    ),
    "remaining-slack": tuple(
        RemainingSlackSettings(weight, slots=slots)
        for weight, slots in ((0.7, 4), (1.0, 4), (1.0, 16))
    ),
}
MAKERS: dict[str, Callable[[Profile, Any], ScalingRule]] = {
    "planned": Planned,
    "static": lambda _, count: StaticPeak(count),
    "queue-length": lambda _, settings: QueueLength(settings),
    "ray-ttft": lambda _, settings: RayTtft(settings),
    "remaining-slack": lambda _, settings: RemainingSlack(settings),
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


def run(case: Case) -> dict[str, Any]:
    """What the run came to."""
    profile = replace(REFERENCE, start_s=case.start_s)
    setting = SETTINGS[case.rule][case.setting]
    rule = MAKERS[case.rule](profile, setting)
    begin = setting if case.rule == "static" else 3
    fleet = Fleet(replicas=begin, profile=profile)
    provisioner = Provisioner(profile.model, Bounds(1, MOST), rule)
    simulator = ScaledSimulator(make_policy(ROUTER, Setup(seed=case.seed)), fleet, provisioner)
    done = simulator.run_scaled(case.workload, case.seed)
    duration_s = case.workload.duration_s
    capacity = Capacity(done.replica_s, profile, done.run.busy_s)
    found = score(done.run.outcomes, duration_s, capacity)
    return {
        "workload": case.workload_name,
        "start_s": case.start_s,
        "rule": case.rule,
        "setting": str(setting),
        "seed": case.seed,
        "goodput": round(found.overall.goodput, 4),
        "classes": {task.value: round(each.goodput, 4) for task, each in found.classes.items()},
        "mean_replicas": round(done.replica_s / duration_s, 3),
        "utilization": round(found.utilization, 4),
        "moves": len(done.plans),
    }


def cases(trace: Path, seeds: int) -> Iterator[Case]:
    """Every run: the day's curve, and the trace with a slow and with a fast start."""
    rows = load_trace(trace)
    rate = len(rows) / (rows[-1].time - rows[0].time)
    replay = TraceWorkload(rows, rate, TRACE_S, longest_prompt=LONGEST_PROMPT)
    workloads: list[tuple[str, Workload, float]] = [
        ("azure replay", replay, 60.0),
        ("azure replay", replay, 10.0),
        ("day's curve", MixWorkload(DayCurve(DAY["rate"]), DAY["duration_s"]), 15.0),
    ]
    for name, workload, start_s in workloads:
        for rule, settings in SETTINGS.items():
            for number in range(len(settings)):
                for seed in range(seeds):
                    yield Case(name, workload, start_s, rule, number, seed)


def frontier(rows: Sequence[dict[str, Any]], goodput: float) -> float:
    """Mean replicas with which a rule reaches the goodput: the cheapest mixture of two settings,
    one below and one at or above it; NaN where no setting reaches it."""
    points = [(row["goodput"], row["mean_replicas"]) for row in rows]
    above = [point for point in points if point[0] >= goodput]
    below = [point for point in points if point[0] < goodput]
    costs = [cost for _, cost in above]
    for high, dear in above:
        for low, cheap in below:
            costs.append(cheap + (dear - cheap) * (goodput - low) / (high - low))
    return min(costs, default=nan)


def means(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each setting: the mean over the seeds."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["setting"], []).append(row)
    names = ("goodput", "mean_replicas", "moves")
    return [
        {"setting": setting, **{name: fmean(row[name] for row in found) for name in names}}
        for setting, found in grouped.items()
    ]


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """A table for each workload and start-up time."""
    lines: list[str] = []
    for key in dict.fromkeys((row["workload"], row["start_s"]) for row in rows):
        here = [row for row in rows if (row["workload"], row["start_s"]) == key]
        lines.append(f"\n{key[0]}, a replica starts in {key[1]:.0f} s: mean replicas for a goodput")
        lines.append("| rule | " + " | ".join(f"{g:.0%}" for g in GOODPUTS) + " |")
        costs = {
            rule: [frontier(means([r for r in here if r["rule"] == rule]), g) for g in GOODPUTS]
            for rule in dict.fromkeys(row["rule"] for row in here)
        }
        for rule, found in costs.items():
            lines.append(f"| {rule} | " + " | ".join(f"{cost:.2f}" for cost in found) + " |")
        others = [found for rule, found in costs.items() if rule != "planned"]
        ratios = [
            planned / min((o[i] for o in others if o[i] == o[i]), default=nan)
            for i, planned in enumerate(costs["planned"])
        ]
        lines.append("| planned / best | " + " | ".join(f"{r:.2f}" for r in ratios) + " |")
    return "\n".join(lines)


def write(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """After each run, so that a broken-off benchmark has not been for nothing."""
    ordered = sorted(rows, key=lambda row: json.dumps(row))
    lines = ",\n".join(json.dumps(row) for row in ordered)
    out.write_text(f'{{"router": "{ROUTER}", "runs": [\n{lines}\n]}}\n')


def main() -> None:
    """Runs everything, prints the tables, writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, help="Azure's CSV of 2023")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="workloads whose name begins so")
    parser.add_argument("--out", type=Path, default=RESULTS)
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
