"""`python -m bench.peers`: one table of every router, over the same replicas and workload."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import uvloop

from bench.peers.emulators import emulators, punctual_share, steps_by_lateness
from bench.peers.environments import PINS
from bench.peers.routers import ROUTERS, Router, started
from bench.peers.stretched import Stretched, compressed
from cato_backend.load_test import HeaderStyle, Lengths, LoadOptions, Server, run_load
from cato_backend.simulation.records import percent, score_record, text_table
from cato_backend.simulation.scoring import Score, score
from cato_backend.simulation.workloads import DeveloperWorkload, Gamma, MixWorkload, Poisson
from cato_backend.simulation.workloads.arrival import Workload

PUNCTUAL = 0.99
LATEST_CLIENT_P99_S = 0.005


@dataclass(frozen=True, slots=True)
class Run:
    """One router under one load and seed."""

    router: str
    load: float
    seed: int
    score: Score
    punctual: float
    client_late_s: float

    @property
    def void(self) -> bool:
        """Whether the machine was too slow to say anything of the router."""
        return self.punctual < PUNCTUAL or self.client_late_s > LATEST_CLIENT_P99_S

    def record(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "router": self.router,
            "load": self.load,
            "seed": self.seed,
            "void": self.void,
            "punctual_steps": round(self.punctual, 4),
            "client_late_p99_ms": round(self.client_late_s * 1e3, 2),
            "score": _without_curves(score_record(self.score)),
        }


def _without_curves(record: Any) -> Any:
    """Percentiles are enough of each of many runs."""
    if not isinstance(record, dict):
        return record
    return {key: _without_curves(value) for key, value in record.items() if key != "curve"}


def main() -> None:
    """Measures, prints, and writes what was asked for."""
    arguments = _arguments()
    # Ended from outside, it ends its replicas and its router too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    chosen = [r for r in ROUTERS if not arguments.routers or r.name in arguments.routers]
    runs: list[Run] = []
    for seed in range(1, arguments.seeds + 1):
        for load in arguments.loads:
            for router in chosen:
                runs.append(_measure(router, load, seed, arguments))
                _tell(runs[-1])
                if arguments.json:
                    arguments.json.write_text(json.dumps(_document(arguments, runs), indent=1))
    print(_table(runs, arguments.loads))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--workload", choices=["mix", "typing"], default="mix")
    parser.add_argument(
        "--loads", type=float, nargs="+", default=[20, 26, 32], help="requests/s, or developers"
    )
    parser.add_argument("--cv", type=float, default=1.0, help="of the times between requests")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of the workload")
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--stretch", type=float, default=1.0, help="all times and targets so many times as long"
    )
    parser.add_argument("--routers", nargs="*", help="; ".join(r.name for r in ROUTERS))
    parser.add_argument("--json", type=Path, help="write every run's score")
    return parser.parse_args()


def _measure(router: Router, load: float, seed: int, arguments: argparse.Namespace) -> Run:
    """Fresh replicas and a fresh router: nobody inherits another's caches."""
    with tempfile.TemporaryDirectory(prefix="cato-peers-") as name:
        folder = Path(name)
        stretch = arguments.stretch
        with (
            emulators(arguments.replicas, 1 / stretch, folder) as replicas,
            started(router, replicas, folder, stretch) as url,
        ):
            before = steps_by_lateness(replicas)
            workload = Stretched(_workload(load, arguments), stretch)
            # max_tokens is what an editor would send: nobody is told how long the answer will be.
            server = Server(
                url, router.model, "", HeaderStyle(router.headers), lengths=Lengths.ANNOUNCED
            )
            options = LoadOptions(drain_s=30 * stretch)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                result = runner.run(run_load(workload, seed, server, options))
            punctual = punctual_share(before, steps_by_lateness(replicas))
    outcomes = [compressed(outcome, stretch) for outcome in result.outcomes]
    scored = score(outcomes, arguments.duration)
    return Run(router.name, load, seed, scored, punctual, result.lateness.at(99))


def _workload(load: float, arguments: argparse.Namespace) -> Workload:
    if arguments.workload == "typing":
        return DeveloperWorkload(developers=round(load), duration_s=arguments.duration)
    process = Poisson(load) if arguments.cv == 1 else Gamma(load, arguments.cv)
    return MixWorkload(process, arguments.duration)


def _tell(run: Run) -> None:
    classes = ", ".join(f"{t.value} {percent(c.goodput)}" for t, c in run.score.classes.items())
    void = "  VOID" if run.void else ""
    print(
        f"{run.router} at {run.load:g}, seed {run.seed}: {percent(run.score.overall.goodput)} % "
        f"({classes}); steps on time {percent(run.punctual)} %, "
        f"client late by {run.client_late_s * 1e3:.1f} ms{void}",
        file=sys.stderr,
        flush=True,
    )


def _table(runs: Sequence[Run], loads: Sequence[float]) -> str:
    """Goodput by router and load: mean over seeds, with the spread where there are several."""
    routers = list(dict.fromkeys(run.router for run in runs))
    rows = [[router, *(_cell(runs, router, load) for load in loads)] for router in routers]
    return text_table(["goodput %", *(f"{load:g}" for load in loads)], rows)


def _cell(runs: Sequence[Run], router: str, load: float) -> str:
    valid = [
        r.score.overall.goodput for r in runs if (r.router, r.load) == (router, load) and not r.void
    ]
    if not valid:
        return "void"
    spread = f" ±{100 * stdev(valid):.1f}" if len(valid) > 1 else ""
    return percent(mean(valid)) + spread


def _document(arguments: argparse.Namespace, runs: Sequence[Run]) -> dict[str, Any]:
    kept = {k: str(v) if isinstance(v, Path) else v for k, v in vars(arguments).items()}
    return {
        "arguments": kept,
        "versions": {name: str(pin) for name, pin in PINS.items()},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "runs": [run.record() for run in runs],
    }


if __name__ == "__main__":
    main()
