"""How many developers one replica serves, in virtual time: `python -m bench.developers`.

Developers type lines of code before replicas of Qwen2.5-Coder-7B on an A100. At each pause in
their typing it is counted whether the right suggestion is on the screen within 500 ms of the last
key.
Every client and every router gets the same keys at the same times, and the same model. What is
modelled and what is not: docs/workloads.md.

Loads are tried in ascending order. No client is tried beyond the first load that none
of its systems serves, and no system beyond the first at which its share is below a quarter.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

from bench.developers.capacity import Cell, worth_trying
from bench.developers.clients import CLIENTS
from bench.developers.records import earlier, record, recorded, result_file
from bench.developers.report import report
from bench.developers.scripts import MOVES, SURPRISE, Coding
from bench.developers.study import Seen, Span, System, make_scripts, play
from bench.machine import save
from cato_backend.commands.arguments import at_least, output_file, share
from cato_backend.scheduling import policy_names
from cato_lab.workloads.lengths import Context

DEVELOPERS = (25, 100, 200, 400, 600, 800, 1000)
POLICIES = ("cato", "prefix-affinity-priorities", "llm-d-sticky", "power-of-two")
_WARMUP_S = 60.0
_DEVELOPER_SECONDS, _SHORTEST_S, _LONGEST_S = 3000.0, 20.0, 120.0


def main() -> None:
    """Plays and prints the tables; `--json FILE` keeps the runs."""
    arguments = _parser().parse_args()
    coding = Coding(arguments.surprise, arguments.moves, Context(arguments.context))
    began, used = time.perf_counter(), time.process_time()
    former = arguments.reuse or {}
    cells = [recorded(kept) for kept in former.get("cells", ())]
    for developers in sorted(arguments.developers):
        cells += _at(developers, _wanted(cells, developers, arguments), coding, arguments)
        if arguments.json:
            _save(cells, coding, former, arguments)
    print(report(cells, arguments.replicas))
    print(f"\n{time.perf_counter() - began:.0f} s, {time.process_time() - used:.0f} s of computing")


def _save(
    cells: Sequence[Cell],
    coding: Coding,
    former: Mapping[str, Any],
    arguments: argparse.Namespace,
) -> None:
    """Keep what there is: a load takes minutes."""
    document = {
        "settings": {"replicas": arguments.replicas, **asdict(coding)},
        "earlier": earlier(former),
        "cells": list(map(record, cells)),
    }
    save(arguments.json, document)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.developers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.developers --developers 25 400 --clients cato-lsp",
    )
    add = parser.add_argument
    add("--developers", type=int, nargs="+", default=DEVELOPERS, help="in front of the whole fleet")
    add("--seeds", type=at_least(1), default=5, help="runs of each system at each load")
    add("--replicas", type=at_least(1), default=4)
    add("--clients", nargs="+", choices=tuple(CLIENTS), default=tuple(CLIENTS))
    add(
        "--policies",
        nargs="+",
        choices=sorted(policy_names()),
        default=POLICIES,
        metavar="NAME",
        help=f"routers, of: {', '.join(sorted(policy_names()))}",
    )
    add(
        "--thresholds",
        type=at_least(0),
        nargs="+",
        default=(0, 512),
        metavar="TOKENS",
        help="the engines' long_prefill_token_threshold; 0: none",
    )
    add(
        "--surprise",
        type=share,
        default=SURPRISE,
        help="chance that a key is not the one that the model expects (default: %(default)s)",
    )
    add(
        "--moves",
        type=share,
        default=MOVES,
        help="chance that a pause ends in another file (default: %(default)s)",
    )
    add(
        "--context",
        choices=tuple(Context),
        default=Context.RICH,
        help="lengths of prompts (docs/workloads.md)",
    )
    add("--json", type=output_file, help="keeps the runs in this file")
    add(
        "--reuse",
        type=result_file,
        help="takes over what an earlier file has, and plays only what is missing",
    )
    return parser


def _wanted(cells: Sequence[Cell], developers: int, arguments: argparse.Namespace) -> list[System]:
    """Return the systems to try with this number of developers: untried ones that may serve it."""
    asked = [
        System(*parts)
        for parts in product(arguments.clients, arguments.policies, arguments.thresholds)
    ]
    played = {cell.system for cell in cells if cell.developers == developers}
    open_ones = worth_trying(cells, asked, developers)
    return [system for system in open_ones if system not in played]


def _at(
    developers: int, wanted: Sequence[System], coding: Coding, arguments: argparse.Namespace
) -> Iterator[Cell]:
    """Play one load; the developers' scripts are made once for each seed."""
    seen: dict[System, dict[int, Seen]] = {system: {} for system in wanted}
    span = span_for(developers)
    for seed in range(1, arguments.seeds + 1) if wanted else ():
        scripts = make_scripts(developers, span, seed, coding)
        for system in wanted:
            seen[system][seed] = found = play(system, scripts, span, seed, arguments.replicas)
            percent = 100 * found.right_500 / max(found.pauses, 1)
            place = f"{developers} developers, seed {seed}, {system.client}, {system.policy}"
            print(f"{place}, threshold {system.threshold}: {percent:.1f}%", file=sys.stderr)
    return (Cell(system, developers, found) for system, found in seen.items())


def span_for(developers: int) -> Span:
    """Return how long a load is played: a small team for longer, to see as many pauses."""
    counted_s = min(max(_DEVELOPER_SECONDS / developers, _SHORTEST_S), _LONGEST_S)
    return Span(_WARMUP_S + counted_s, _WARMUP_S)


if __name__ == "__main__":
    main()
