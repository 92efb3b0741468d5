"""`cato simulate`: the scheduling core over emulated replicas in virtual time."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cato_backend.commands.arguments import Parser, output_folder
from cato_backend.errors import ConfigError
from cato_lab.commands.amounts import (
    add_amount_arguments,
    add_output_arguments,
    check_warmup,
    profile_of,
)
from cato_lab.commands.contenders import add_contender_arguments, contenders_of
from cato_lab.commands.workloads import add_workload_arguments, positive, workload_of

if TYPE_CHECKING:
    from cato_lab.simulation.fleet import Fleet
    from cato_lab.simulation.study import Cell, CellResult

SUMMARY = "run the scheduler over emulated replicas in virtual time, and report"


def configure(parser: Parser) -> None:
    """Add its arguments."""
    parser.description = (
        "The scheduler of `cato serve` and the engine model of `cato emulate`, without "
        "waiting. Every policy runs at every load with every seed; the table gives means with 95% "
        "confidence intervals over the seeds; --out adds JSON and an HTML report. Example: "
        "cato simulate --policy cato,prefix-affinity --rates 10,20,30 --out study"
    )
    add_contender_arguments(parser)
    add_study = add_amount_arguments(parser, "study", several=True)
    add_study("--seeds", default="1", metavar="N", help="number of runs, or a list of seeds: 3,5,8")
    add_study(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="number of processes"
    )
    fleet = parser.add_argument_group("fleet")
    fleet.add_argument("--replicas", type=int, default=4, metavar="N", help="number of replicas")
    fleet.add_argument(
        "--profile",
        metavar="FILE|NAME",
        help="profile of a replica; default: 20 ms a step, 0.1 ms a token",
    )
    fleet.add_argument(
        "--max-running",
        type=int,
        metavar="N",
        help="requests sent to one replica at once; default: its slots",
    )
    fleet.add_argument(
        "--network-ms", type=float, default=0.5, metavar="MS", help="network delay, one way"
    )
    fleet.add_argument(
        "--kill",
        action="append",
        default=[],
        metavar="T:REPLICA",
        help="kill a replica at T seconds",
    )
    add_workload_arguments(parser)
    add_output_arguments(parser, output_folder, "DIR", "study.json and report.html")


def run(arguments: argparse.Namespace) -> int:
    """Run the study."""
    from cato_lab.simulation.cell_pool import run_cells
    from cato_lab.simulation.study import points, study_table

    results = run_cells(_cells(arguments), arguments.jobs, _progress(arguments))
    print(study_table(points(results), _load_name(arguments)))
    if arguments.out:
        _write(arguments, results)
    return 0


def _write(arguments: argparse.Namespace, results: list[CellResult]) -> None:
    from cato_lab.report import study_record, write_page
    from cato_lab.simulation.study import points

    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    settings = _settings(arguments)
    record = json.dumps(study_record(results, settings), indent=1)
    (folder / "study.json").write_text(record + "\n", encoding="utf-8")
    write_page(folder / "report.html", points(results), settings, _load_name(arguments))
    print(f"written: {folder / 'report.html'}, {folder / 'study.json'}")


def _load_name(arguments: argparse.Namespace) -> str:
    return "developers" if arguments.workload == "typing" else "requests/s"


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a reader must know to repeat the study."""
    left_out = {"out", "progress", "jobs", "duration"}
    given = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(arguments).items()
        if name not in left_out and value not in (None, [], "")
    }
    return {
        **given,
        "profile": arguments.profile or "the reference profile",
        "duration_s": arguments.duration,
        "command": " ".join(["cato", "simulate", *sys.argv[2:]]),
    }


def _cells(arguments: argparse.Namespace) -> list[Cell]:
    from cato_lab.simulation.study import Cell

    fleet = _fleet(arguments)
    check_warmup(arguments)
    workloads = {
        load: workload_of(arguments, arguments.duration, load) for load in _loads(arguments)
    }
    return [
        Cell(contender, load, seed, workload, fleet, arguments.warmup)
        for contender in contenders_of(arguments)
        for load, workload in workloads.items()
        for seed in _seeds(arguments.seeds)
    ]


def _loads(arguments: argparse.Namespace) -> list[float]:
    """Return the requests per second, or developers where they type."""
    name, text = ("--rates", arguments.rates or "20")
    if arguments.workload == "typing":
        name, text = ("--developers", arguments.developers or "40")
    return [positive(name, part) for part in text.split(",")]


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError.of("--seeds", text, "a number of seeds, or a list of them") from error
    return list(range(1, 1 + seeds[0])) if len(seeds) == 1 else seeds


def _fleet(arguments: argparse.Namespace) -> Fleet:
    from cato_lab.simulation.fleet import Fleet

    for name, least in (("replicas", 1), ("max_running", 1), ("network_ms", 0), ("jobs", 1)):
        given = getattr(arguments, name)
        if given is not None and given < least:
            raise ConfigError.of(f"--{name.replace('_', '-')}", given, f"at least {least}")
    return Fleet(
        replicas=arguments.replicas,
        profile=profile_of(arguments.profile),
        max_running=arguments.max_running,
        network_s=arguments.network_ms / 1e3,
        kills=tuple(_kill(text, arguments.replicas) for text in arguments.kill),
    )


def _kill(text: str, replicas: int) -> tuple[float, int]:
    time, _, index = text.partition(":")
    if not index.isdecimal() or int(index) >= replicas:
        raise ConfigError.of("--kill", text, f"T:REPLICA with REPLICA from 0 to {replicas - 1}")
    return positive("--kill", time), int(index)


def _progress(arguments: argparse.Namespace) -> Callable[[int, int], None]:
    def show(done: int, of: int) -> None:
        if arguments.progress:
            sys.stderr.write(f"\r{done} of {of} runs" + ("\n" if done == of else ""))
            sys.stderr.flush()

    return show
