"""How true predictions come, on emulated replicas in virtual time; see bench/README.md."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from bench.predicted_replica import Bounds, Flight, Watched
from cato_backend.prediction.conformal import Conformal
from cato_backend.prediction.lengths import OutputLengths
from cato_backend.profile_files.files import load_profile
from cato_backend.profile_files.law import StepLaw
from cato_backend.profile_files.profile import Profile
from cato_backend.simulation.workloads.mix import MixWorkload
from cato_backend.simulation.workloads.processes import Poisson
from cato_backend.wire.headers import Task

REFERENCE = Profile("reference", "emulated", StepLaw("additive", 0.020, per_new_token=0.0001))
WARM_UP = 300
"""Requests that are predicted but not counted: what is learned online is learned by then."""
REPLICAS = 4


@dataclass(slots=True)
class Seen:
    """What came of the predictions: errors in percent, and whether bounds held, by task."""

    ttft: dict[Task, list[float]] = field(default_factory=lambda: {task: [] for task in Task})
    e2e: dict[Task, list[float]] = field(default_factory=lambda: {task: [] for task in Task})
    ttft_held: list[bool] = field(default_factory=list[bool])
    e2e_held: list[bool] = field(default_factory=list[bool])
    prediction_us: list[float] = field(default_factory=list[float])


def run(profile: Profile, rate: float, duration_s: float, seed: int, seen: Seen) -> None:
    """The four tasks at once, each to the replica with the fewest outstanding."""
    fleet = [Watched.of(profile) for _ in range(REPLICAS)]
    lengths = OutputLengths()
    bounds: Bounds = {(kind, task): Conformal() for kind in ("ttft", "e2e") for task in Task}
    for number, arrival in enumerate(MixWorkload(Poisson(rate), duration_s).arrivals(seed)):
        for replica in fleet:
            for flight, at in replica.advance(arrival.time):
                learn(flight, at, lengths, bounds)
                if number > WARM_UP:
                    note(flight, at, seen)
        chosen = min(fleet, key=lambda each: each.outstanding)
        began = time.perf_counter()
        chosen.send(arrival, lengths, bounds)
        seen.prediction_us.append(1e6 * (time.perf_counter() - began))


def learn(flight: Flight, at: float, lengths: OutputLengths, bounds: Bounds) -> None:
    """Everything that an answer teaches."""
    arrival = flight.arrival
    lengths.observe(
        arrival.task,
        arrival.prompt_tokens,
        arrival.max_tokens,
        arrival.output_tokens,
        finished=True,
    )
    assert flight.first_at is not None
    for kind, predicted, bound, observed in (
        ("ttft", flight.ttft_s, flight.bounds[0], flight.first_at - arrival.time),
        ("e2e", flight.e2e_s, flight.bounds[1], at - arrival.time),
    ):
        bounds[kind, arrival.task].observe(predicted, bound, observed)


def note(flight: Flight, at: float, seen: Seen) -> None:
    """Counts the errors."""
    assert flight.first_at is not None
    ttft_s, e2e_s = flight.first_at - flight.arrival.time, at - flight.arrival.time
    task = flight.arrival.task
    seen.ttft[task].append(100 * abs(flight.ttft_s / ttft_s - 1))
    seen.e2e[task].append(100 * abs(flight.e2e_known_s / e2e_s - 1))
    seen.ttft_held.append(ttft_s <= flight.bounds[0])
    seen.e2e_held.append(e2e_s <= flight.bounds[1])


def row(profile: Profile, rate: float, duration_s: float, seeds: int) -> dict[str, object]:
    """One line of the table."""
    seen = Seen()
    for seed in range(seeds):
        run(profile, rate, duration_s, seed, seen)
    return {
        "profile": f"{profile.model} on {profile.hardware}",
        "requests_per_s": rate,
        "requests": len(seen.ttft_held),
        "ttft_error_percent": errors(list(chain.from_iterable(seen.ttft.values()))),
        "e2e_error_percent": {task.value: errors(seen.e2e[task]) for task in Task},
        "ttft_coverage_percent": round(100 * float(np.mean(seen.ttft_held)), 1),
        "e2e_coverage_percent": round(100 * float(np.mean(seen.e2e_held)), 1),
        "prediction_us_p50": round(float(np.median(seen.prediction_us))),
    }


def errors(values: Sequence[float]) -> dict[str, float]:
    """Median and P90."""
    if not values:
        return {}
    p50, p90 = np.percentile(values, [50, 90])
    return {"p50": round(float(p50), 1), "p90": round(float(p90), 1)}


def line(found: dict[str, object]) -> str:
    """The same for people."""
    return " | ".join(str(value) for value in found.values())


def studies(arguments: argparse.Namespace) -> Iterator[tuple[Profile, float]]:
    """Which profiles at which rates."""
    profiles = [REFERENCE, *(load_profile(path) for path in arguments.profile)]
    for profile in profiles:
        for rate in arguments.rates:
            yield profile, rate


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", type=Path, nargs="*", default=[], help="beside the reference")
    parser.add_argument("--rates", type=float, nargs="*", default=[8, 16, 20, 26])
    parser.add_argument("--duration-s", type=float, default=180)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    for profile, rate in studies(arguments):
        rows.append(row(profile, rate, arguments.duration_s, arguments.seeds))
        print(line(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
