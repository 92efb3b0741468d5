"""Command line: `python -m bench.arena`. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

from bench.arena.play import Match, play, play_all
from bench.arena.records import read_known, record
from bench.arena.report import tables, world_table
from bench.machine import about, commit
from cato_backend.commands.arguments import output_file
from cato_backend.scheduling import policy_names

POLICY = "cato"
BASELINES = (
    "prefix-affinity-priorities",
    "prefix-affinity",
    "llm-d-sticky",
    "dynamo-edf",
    "consistent-hash",
    "qoserve",
    "edf",
)


def main() -> int:
    """Plays and prints; with --out, writes the figures."""
    arguments = _parser().parse_args()
    policies = arguments.policies.split(",")
    seeds = range(1, arguments.seeds + 1)
    if arguments.world is not None:
        print(world_table(play(arguments.world, policies, seeds)))
        return 0
    known = read_known(arguments.reuse, policies) if arguments.reuse else {}
    began = time.perf_counter()
    numbers = _numbers(arguments.worlds)
    matches = play_all(numbers, policies, seeds, known, arguments.jobs, _Progress(len(numbers)))
    took_s = time.perf_counter() - began
    print(tables(matches, arguments.policy))
    print(f"\n{len(matches)} worlds in {took_s:.0f} s with {arguments.jobs} processes")
    if arguments.out:
        found = {
            "about": about(),
            "commit": commit(),
            "command": shlex.join(["python", "-m", "bench.arena", *sys.argv[1:]]),
            "seconds": round(took_s),
            **record(matches, arguments.policy),
        }
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")
    return 0


class _Progress:
    """A line on stderr for each world that has ended."""

    def __init__(self, of: int) -> None:
        self._done, self._of = 0, of
        self._began = time.perf_counter()

    def __call__(self, match: Match) -> None:
        self._done += 1
        left_s = (time.perf_counter() - self._began) * (self._of / self._done - 1)
        shares = (f"{name} {p.overall.percent or 0:.1f}" for name, p in match.played.items())
        about = f"{self._done} of {self._of}, {left_s / 60:.0f} min left"
        print(f"{about}: world {match.world.number}: {', '.join(shares)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.arena")
    parser.add_argument("--worlds", default="1-200", help="numbers: 1-200, or 3,7,20-30")
    parser.add_argument("--world", type=int, help="one world, with everything about it")
    parser.add_argument(
        "--policies",
        default=",".join((POLICY, *BASELINES)),
        help=f"of {', '.join(policy_names())}",
    )
    parser.add_argument(
        "--reuse",
        type=Path,
        help="an earlier report, whose figures of other policies than --policies are taken over",
    )
    parser.add_argument("--policy", default=POLICY, help="whose lead over the others is reported")
    parser.add_argument("--seeds", type=int, default=1, help="of each world")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=output_file, help="a JSON file")
    return parser


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
