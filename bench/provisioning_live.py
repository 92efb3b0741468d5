"""Scaling rules compared live: `cato serve` starts and stops emulated replicas by each in turn.

The same day's curve, pressed into minutes, is played against each rule over real HTTP. The rules'
own times (delays, patience) are shortened as the day is; the replicas' are not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import uvloop

from bench.machine import save
from bench.peers.emulators import write_profile
from bench.processes import free_port, running, serve_command
from cato_backend.commands.arguments import output_file
from cato_lab.load_test import HeaderStyle, Lengths, LoadOptions, Server, run_load
from cato_lab.scoring.records import percent, text_table
from cato_lab.scoring.scores import Score, score
from cato_lab.workloads import DayCurve, MixWorkload

MODEL = "cato-emulated"
SETTINGS: Mapping[str, Mapping[str, float]] = {
    "planned": {"patience_s": 30.0},
    "remaining-slack": {"slots": 4, "span_s": 20.0, "pause_s": 5.0},
    "queue-length": {"look_back_s": 5.0, "upscale_delay_s": 0.0, "downscale_delay_s": 20.0},
    "ray-ttft": {"span_s": 20.0, "pause_s": 5.0},
    "static": {"replicas": 4},
}
"""`static` has what the peak needs."""
_SAMPLE = re.compile(r"^(cato_replica_seconds_total|cato_replicas_wanted)\{[^}]*\} (\S+)$", re.M)
_LATEST_P99_S = 0.005


@dataclass(frozen=True, slots=True)
class Run:
    """What one rule came to."""

    rule: str
    settings: Mapping[str, float]
    seed: int
    score: Score
    replica_s: float
    wanted: Sequence[int]
    """Replicas that the rule wanted, second by second."""
    client_late_s: float
    log: str

    def record(self) -> dict[str, Any]:
        """For the JSON file."""
        ups, downs = moves(self.wanted)
        return {
            "rule": self.rule,
            "settings": dict(self.settings),
            "seed": self.seed,
            "goodput": round(self.score.overall.goodput, 4),
            "classes": {t.value: round(c.goodput, 4) for t, c in self.score.classes.items()},
            "replica_seconds": round(self.replica_s, 1),
            "most": max(self.wanted),
            "started": ups,
            "stopped": downs,
            "turned_back": reversals(self.wanted),
            "client_late_p99_ms": round(self.client_late_s * 1e3, 2),
            "void": self.client_late_s > _LATEST_P99_S,
        }


def moves(counts: Sequence[int]) -> tuple[int, int]:
    """Replicas started and stopped."""
    steps = [after - before for before, after in pairwise(counts)]
    return sum(max(0, step) for step in steps), sum(max(0, -step) for step in steps)


def reversals(counts: Sequence[int]) -> int:
    """How often the direction changed."""
    steps = [after - before for before, after in pairwise(counts)]
    directions = [step > 0 for step in steps if step]
    return sum(a != b for a, b in pairwise(directions))


def settings_of(rule: str, arguments: argparse.Namespace) -> Mapping[str, float]:
    """Those of the table, and over them what the command line says."""
    return {**SETTINGS[rule], **{name: float(value) for name, value in arguments.set or ()}}


def measure(rule: str, seed: int, arguments: argparse.Namespace) -> Run:
    """Plays the day against `cato serve` under this rule."""
    with tempfile.TemporaryDirectory(prefix="cato-scaling-") as name:
        folder = Path(name)
        config, log, port = _configuration(rule, folder, arguments), folder / "log", free_port()
        with running(serve_command(port, "--config", str(config)), log) as process:
            url = f"http://127.0.0.1:{port}"
            process.wait_until_it_completes(url, MODEL)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                found = runner.run(_play(url, seed, arguments))
        return Run(rule, settings_of(rule, arguments), seed, *found, log=log.read_text())


def _configuration(rule: str, folder: Path, arguments: argparse.Namespace) -> Path:
    """The replicas take as long to start as their profile says."""
    profile = write_profile(folder / "profile.json", 1.0, arguments.start_s)
    chosen = settings_of(rule, arguments)
    settings = ", ".join(f"{name} = {value}" for name, value in chosen.items())
    least = int(chosen.get("replicas", 1))
    config = folder / "cato.toml"
    config.write_text(
        f'[engine]\nkind = "emulated"\n[[models]]\nname = "{MODEL}"\npath = "{MODEL}"\n'
        f'profile = "{profile}"\nengine_args = ["--start-s", "{arguments.start_s}"]\n'
        f"[provisioning]\nmin_replicas = {least}\nmax_replicas = {arguments.most}\n"
        f'rule = "{rule}"\nsettings = {{{settings}}}\n'
    )
    return config


async def _play(
    url: str, seed: int, arguments: argparse.Namespace
) -> tuple[Score, float, Sequence[int], float]:
    workload = MixWorkload(DayCurve(arguments.rate), arguments.duration)
    server = Server(url, MODEL, "", HeaderStyle("cato"), lengths=Lengths.ANNOUNCED)
    watching = asyncio.create_task(_watch(url, arguments.duration))
    result = await run_load(workload, seed, server, LoadOptions(drain_s=20))
    seconds, wanted = await watching
    scored = score(result.outcomes, arguments.duration)
    return scored, seconds, wanted, result.lateness.at(99)


async def _watch(url: str, duration_s: float) -> tuple[float, Sequence[int]]:
    """Replica-seconds of the day, and what was wanted each second of it."""
    clock = asyncio.get_running_loop().time
    samples: list[dict[str, float]] = []
    until = clock() + duration_s
    while clock() < until:
        samples.append(await asyncio.to_thread(_sample, url))
        await asyncio.sleep(1.0)
    spent = [sample["cato_replica_seconds_total"] for sample in samples]
    return spent[-1] - spent[0], [int(sample["cato_replicas_wanted"]) for sample in samples]


def _sample(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        return {name: float(value) for name, value in _SAMPLE.findall(response.read().decode())}


def table(runs: Sequence[Mapping[str, Any]], duration_s: float) -> str:
    """One row for each run."""
    header = ["rule", "goodput %", "replica-s", "mean", "most", "started", "stopped", "turned back"]
    rows = [
        [
            run["rule"],
            percent(run["goodput"]),
            f"{run['replica_seconds']:.0f}",
            f"{run['replica_seconds'] / duration_s:.2f}",
            *(str(run[key]) for key in ("most", "started", "stopped", "turned_back")),
        ]
        for run in runs
    ]
    return text_table(header, rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--rate", type=float, default=8.0, help="requests/s in the mean")
    parser.add_argument("--duration", type=float, default=300.0, help="seconds of the day")
    parser.add_argument("--start-s", type=float, default=3.0, help="a replica's start")
    parser.add_argument("--most", type=int, default=6, help="replicas at once")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument(
        "--set", nargs=2, action="append", metavar=("NAME", "VALUE"), help="of the rules measured"
    )
    parser.add_argument("--json", type=output_file)
    parser.add_argument("--logs", type=Path, help="folder for what `cato serve` said")
    arguments = parser.parse_args()
    records: list[dict[str, Any]] = []
    for seed in arguments.seeds:
        for rule in arguments.rules:
            run = measure(rule, seed, arguments)
            records.append(run.record())
            print(json.dumps(records[-1]), file=sys.stderr, flush=True)
            if arguments.logs:
                arguments.logs.mkdir(parents=True, exist_ok=True)
                (arguments.logs / f"{rule}-{seed}.log").write_text(run.log)
            if arguments.json:
                save(arguments.json, {"runs": records})
    print(table(records, arguments.duration))


if __name__ == "__main__":
    main()
