"""`cato plan`: finds fleets that serve a number of developers, and their costs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cato_backend.commands.arguments import Parser, at_least, output_file_of
from cato_backend.errors import ConfigError
from cato_backend.profile_files.prices import DEFAULT_PRICES, Prices, read_prices
from cato_lab.commands.plan_profiles import DEFAULT_MODEL, profile_file, profile_files

if TYPE_CHECKING:
    from cato_backend.profile_files.document import ProfileFile
    from cato_lab.commands.plan_text import Plan
    from cato_lab.commands.planner import Planner
    from cato_lab.simulation.cell_pool import CellPool

SUMMARY = "tell which fleets of which GPUs serve a team of developers, and what they cost"


def configure(parser: Parser) -> None:
    """Add its arguments."""
    parser.description = (
        "The smallest fleet of each GPU that keeps every class of task at its target, cheapest "
        "first; with --gpu or --profile, that of one GPU and how it was found. Or the other way "
        "round: with --replicas, how many developers a fleet serves. Every answer is simulated "
        "with the scheduler of `cato serve`, from an estimate on, until the bounds of the goodput "
        "say which fleet is enough: the answer for a GPU is the same in every form. Developers "
        "type all the time (docs/workloads.md); most of their completions are cancelled by the "
        "next key. Examples: `cato plan --developers 40`, `cato plan --developers 40 --gpu l40s`, "
        "`cato plan --replicas 2 --gpu l40s`, `cato plan --inventory gpus.toml`, "
        "`cato plan --developers 40 --plot fleets.svg`, "
        "`cato plan --rate 25 --profile my.json --json`, "
        "`cato plan --developers 40 --config my-model/config.json`"
    )
    demand = parser.add_argument_group("demand").add_mutually_exclusive_group()
    demand.add_argument(
        "--developers",
        type=at_least(1),
        metavar="N",
        help="number of developers who type all the time",
    )
    demand.add_argument(
        "--rate", type=float, metavar="R", help="requests per second of the four tasks, uncancelled"
    )
    demand.add_argument(
        "--replicas",
        type=at_least(1),
        metavar="N",
        help="the other way round: how many developers this number of replicas serves",
    )
    _add_fleet(parser)
    _add_inventory(parser)
    parser.add_argument(
        "--goodput",
        type=float,
        default=0.95,
        metavar="SHARE",
        help="goodput for each class, as a share of that of an ample fleet of the GPU",
    )
    accuracy = parser.add_argument_group("accuracy")
    accuracy.add_argument(
        "--duration",
        type=float,
        default=90.0,
        metavar="S",
        help="duration of a run, virtual seconds",
    )
    accuracy.add_argument(
        "--seeds", type=at_least(1), default=8, metavar="N", help="largest number of runs"
    )
    accuracy.add_argument(
        "--jobs",
        type=at_least(1),
        default=os.cpu_count() or 1,
        metavar="N",
        help="number of processes",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.restrict(
        "not with --profile, which is of one GPU and one model",
        lambda arguments: arguments.profile is None,
        *("--gpu", "--model"),
    )
    parser.restrict(
        "only with --developers: it shows fleets for a quarter to twice as many",
        lambda arguments: arguments.developers is not None,
        "--plot",
    )


def _add_inventory(parser: Parser) -> None:
    parser.add_argument_group("inventory").add_argument(
        "--inventory",
        type=Path,
        metavar="FILE",
        help="TOML with [[gpus]] (docs/models.md): how many developers these GPUs serve; "
        "with --developers, the cheapest of them that serve that number",
    )
    parser.restrict(
        "alone or beside --developers: it names the GPUs",
        lambda arguments: (
            not any(
                (
                    arguments.rate,
                    arguments.replicas,
                    arguments.gpu,
                    arguments.profile,
                    arguments.plot,
                )
            )
        ),
        "--inventory",
    )


def _add_fleet(parser: Parser) -> None:
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
    fleet.add_argument(
        "--prices",
        type=Path,
        default=DEFAULT_PRICES,
        metavar="FILE",
        help="TOML with [gpu.NAME] and per_hour = NUMBER; default: rental prices of 2026-09",
    )
    fleet.add_argument(
        "--plot",
        type=output_file_of(".svg"),
        metavar="FILE",
        help="draw GPUs and cost against developers, as an .svg file (takes four times as long)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Simulate, print, and return 1 where no fleet that was tried is enough."""
    _check(arguments)
    if arguments.inventory is not None:
        return _run_inventory(arguments)
    is_one = arguments.gpu is not None or arguments.profile is not None
    files = [profile_file(arguments)] if is_one else profile_files(arguments)
    prices = read_prices(arguments.prices, _gpus(files))
    plans = _plans(arguments, files, prices)
    if arguments.json:
        _print_json(plans, prices, is_one=is_one)
    else:
        from cato_lab.commands.plan_text import print_overview, print_plan

        if is_one:
            print_plan(arguments, plans[0], prices)
        else:
            print_overview(arguments, plans, prices)
    return 0 if all(plan.chosen for plan in plans) else 1


def _run_inventory(arguments: argparse.Namespace) -> int:
    from cato_lab.commands import plan_inventory
    from cato_lab.commands.planner import Planner

    there = plan_inventory.counts_of(arguments.inventory)
    known = profile_files(arguments)
    files = plan_inventory.usable_files(there, known, arguments.inventory)
    prices = read_prices(arguments.prices, _gpus(known))
    with _pool(arguments) as pool:
        planner = Planner(arguments, pool, _say)
        asked = arguments.developers
        found = plan_inventory.plan_inventory(planner, there, files, prices, asked)
    _say("")
    if arguments.json:
        print(json.dumps(plan_inventory.inventory_record(found, prices), indent=1))
    else:
        plan_inventory.print_inventory(arguments, found, there, prices)
    return 0 if found.is_enough else 1


def _check(arguments: argparse.Namespace) -> None:
    rate = arguments.rate
    asked = (rate, arguments.developers, arguments.replicas, arguments.inventory)
    if all(each is None for each in asked):
        raise ConfigError(
            "nothing is asked for; expected --developers, --rate, --replicas or --inventory"
        )
    checks = (
        ("--rate", rate, rate is None or rate > 0, "a number above 0"),
        ("--goodput", arguments.goodput, 0 < arguments.goodput < 1, "a share between 0 and 1"),
        ("--duration", arguments.duration, arguments.duration >= 10, "at least 10 seconds"),
    )
    for name, got, fits, expected in checks:
        if not fits:
            raise ConfigError.of(name, got, expected)


def _gpus(files: Sequence[ProfileFile]) -> set[str]:
    """Return the names that a file of prices may have."""
    from cato_backend.profile_files.hardware import gpu_kinds

    return {kind.name for kind in gpu_kinds()} | {file.hardware for file in files}


def _plans(
    arguments: argparse.Namespace, files: Sequence[ProfileFile], prices: Prices
) -> list[Plan]:
    from cato_lab.commands.planner import Planner

    with _pool(arguments) as pool:
        planner = Planner(arguments, pool, _say)
        plans = [planner.plan(file) for file in files]
        if arguments.plot is not None:
            _plot(arguments, planner, plans, prices)
    _say("")
    return plans


def _pool(arguments: argparse.Namespace) -> CellPool:
    """Return the processes that simulate. Raises ConfigError for an unknown policy."""
    from cato_backend.scheduling import policy_names
    from cato_lab.simulation.cell_pool import CellPool

    if arguments.policy not in policy_names():
        raise ConfigError.of("--policy", arguments.policy, f"one of {', '.join(policy_names())}")
    return CellPool(arguments.jobs)


def _plot(
    arguments: argparse.Namespace,
    planner: Planner,
    plans: Sequence[Plan],
    prices: Prices,
) -> None:
    from cato_lab.report.figures import Fleets, draw_fleets

    asked = arguments.developers
    people = sorted({max(1, asked // 4), max(1, asked // 2), 2 * asked})
    drawn: list[Fleets] = []
    for plan in plans:
        file = plan.file
        counts = {asked: plan.count, **{n: planner.for_people(file, n).count for n in people}}
        drawn.append(Fleets(file.hardware, counts, prices.per_month(file.hardware, 1)))
    arguments.plot.write_text(draw_fleets(drawn, prices.currency), encoding="utf-8")


def _print_json(plans: Sequence[Plan], prices: Prices, *, is_one: bool) -> None:
    from cato_lab.commands.plan_text import plan_record

    records = [plan_record(plan, prices) for plan in plans]
    print(json.dumps(records[0] if is_one else records, indent=1))


def _say(text: str) -> None:
    """Progress: one line that is written over."""
    if sys.stderr.isatty() or text:
        end = "\n" if not sys.stderr.isatty() else ""
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{start}{text}{end}")
        sys.stderr.flush()
