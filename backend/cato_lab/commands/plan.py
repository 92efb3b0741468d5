"""`cato plan`: which fleet serves so many developers."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cato_backend.commands.arguments import Parser, at_least
from cato_backend.errors import ConfigError
from cato_lab.commands.plan_profiles import DEFAULT_MODEL, profile_file, profile_files
from cato_lab.commands.plan_text import (
    Demand,
    estimate_record,
    fleet_record,
    print_fleet,
    print_overview,
)

if TYPE_CHECKING:
    from cato_backend.profile_files.document import ProfileFile
    from cato_lab.simulation.sizing import Estimate
    from cato_lab.simulation.study import Cell

SUMMARY = "tell how many replicas on which GPUs a team of developers needs"
_MOST_DEVELOPERS = 120
"""In one simulated run; a larger team is simulated in equal parts."""


def configure(parser: Parser) -> None:
    """Adds its arguments."""
    parser.description = (
        "How many replicas keep every class of task at its target. Without --gpu it estimates that "
        "for every GPU with a profile of the model. With --gpu or --profile it simulates the fleet "
        "around the estimate with the scheduler of `cato serve`, and gives the goodput of each "
        "class with its 95% confidence interval. Developers type (docs/workloads.md); most of "
        "their completions are cancelled by the next key. Examples: `cato plan --developers 40`, "
        "`cato plan --developers 40 --gpu l40s`, `cato plan --rate 25 --profile my.json --json`, "
        "`cato plan --developers 40 --config my-model/config.json`"
    )
    demand = parser.add_argument_group("demand").add_mutually_exclusive_group(required=True)
    demand.add_argument("--developers", type=int, metavar="N", help="people who type all the time")
    demand.add_argument(
        "--rate", type=float, metavar="R", help="requests per second of the four tasks, uncancelled"
    )
    fleet = parser.add_argument_group("fleet")
    fleet.add_argument("--gpu", metavar="NAME", help="such as l4, l40s, a100-80gb, h100")
    fleet.add_argument("--model", metavar="NAME", help=f"default: {DEFAULT_MODEL}")
    which = fleet.add_mutually_exclusive_group()
    which.add_argument("--profile", type=Path, metavar="FILE", help="instead of --gpu and --model")
    which.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="config.json of any model: its profile is estimated from the GPU's data sheet",
    )
    fleet.add_argument("--policy", default="cato", metavar="NAME", help="the router")
    parser.add_argument(
        "--goodput",
        type=float,
        default=0.95,
        metavar="SHARE",
        help="that every class is to reach, as a share of what an idle replica reaches",
    )
    accuracy = parser.add_argument_group("accuracy")
    accuracy.add_argument(
        "--duration", type=float, default=90.0, metavar="S", help="of a run, in virtual seconds"
    )
    accuracy.add_argument("--seeds", type=int, default=3, metavar="N", help="how many runs")
    accuracy.add_argument(
        "--jobs", type=at_least(1), default=os.cpu_count() or 1, metavar="N", help="processes"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.restrict(
        "not with --profile, which is of one GPU and one model",
        lambda arguments: arguments.profile is None,
        *("--gpu", "--model"),
    )
    parser.restrict(
        "only with --gpu or --profile: without them nothing is simulated",
        lambda arguments: arguments.gpu is not None or arguments.profile is not None,
        *("--policy", "--duration", "--seeds", "--jobs"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Estimates, simulates, prints. 1 where no count within reason is enough."""
    _check(arguments)
    demand = _demand(arguments)
    if arguments.gpu is None and arguments.profile is None:
        return _overview(arguments, demand)
    return _fleet(arguments, demand, profile_file(arguments))


def _check(arguments: argparse.Namespace) -> None:
    developers, rate = arguments.developers, arguments.rate
    checks = (
        ("--developers", developers, developers is None or developers >= 1, "at least 1"),
        ("--rate", rate, rate is None or rate > 0, "a number above 0"),
        ("--goodput", arguments.goodput, 0 < arguments.goodput < 1, "a share between 0 and 1"),
        ("--duration", arguments.duration, arguments.duration >= 10, "at least 10 seconds"),
        ("--seeds", arguments.seeds, arguments.seeds >= 1, "at least 1"),
    )
    for name, got, fits, expected in checks:
        if not fits:
            raise ConfigError.of(name, got, expected)


def _demand(arguments: argparse.Namespace) -> Demand:
    from cato_lab.simulation.sizing import slice_of
    from cato_lab.workloads import DeveloperWorkload, MixWorkload, Poisson

    if arguments.developers is None:
        mix = MixWorkload(Poisson(arguments.rate), arguments.duration)
        return Demand(mix, 1, f"{arguments.rate:g} requests/s of the four tasks")
    people, parts = slice_of(arguments.developers, _MOST_DEVELOPERS)
    text = f"{arguments.developers} developers typing"
    if parts > 1:
        text += f", simulated as {parts} parts of {people}"
    return Demand(DeveloperWorkload(people, arguments.duration), parts, text)


# -- every GPU ---------------------------------------------------------------------------------


def _overview(arguments: argparse.Namespace, demand: Demand) -> int:
    from cato_lab.simulation.sizing import estimate

    files = profile_files(arguments)
    found: list[tuple[ProfileFile, Estimate]] = []
    for file in files:
        _say(f"estimating {file.hardware}")
        found.append((file, estimate(demand.workload, file.profile(), arguments.goodput)))
    _say("")
    if arguments.json:
        print(json.dumps([estimate_record(f, e, demand) for f, e in found], indent=1))
    else:
        print_overview(arguments, demand, found)
    return 0


# -- one GPU -----------------------------------------------------------------------------------


def _fleet(arguments: argparse.Namespace, demand: Demand, file: ProfileFile) -> int:
    from cato_lab.simulation.sizing import estimate, search, smallest

    profile = file.profile()
    _say("estimating")
    start = estimate(demand.workload, profile, arguments.goodput)
    cell = _cell(arguments, demand, file)
    candidates = search(cell, start, arguments.seeds, arguments.jobs, _say)
    _say("")
    chosen = smallest(candidates)
    if arguments.json:
        print(json.dumps(fleet_record(demand, file, start, candidates, chosen), indent=1))
    else:
        print_fleet(arguments, demand, file, start, candidates, chosen)
    return 0 if chosen else 1


def _cell(arguments: argparse.Namespace, demand: Demand, file: ProfileFile) -> Cell:
    from cato_backend.scheduling import policy_names
    from cato_lab.simulation.fleet import Fleet
    from cato_lab.simulation.study import Cell, Contender

    if arguments.policy not in policy_names():
        raise ConfigError.of("--policy", arguments.policy, f"one of {', '.join(policy_names())}")
    fleet = Fleet(1, file.profile())
    load = arguments.developers or arguments.rate
    return Cell(Contender(arguments.policy), load, 1, demand.workload, fleet)


def _say(text: str) -> None:
    """Progress: one line that is written over."""
    if sys.stderr.isatty() or text:
        end = "\n" if not sys.stderr.isatty() else ""
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{start}{text}{end}")
        sys.stderr.flush()
