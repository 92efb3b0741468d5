"""`python -m bench.peers`: every router over the same replicas and workload, in real time."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.machine import about
from bench.peers.environments import PINS
from bench.peers.measure import Run, Setting, measure
from bench.peers.routers import ROUTERS, Router
from bench.peers.series import Series
from bench.peers.tables import report
from cato_backend.commands.arguments import Parser, output_file
from cato_backend.errors import ConfigError
from cato_lab.commands.workloads import add_workload_arguments, workload_of
from cato_lab.scoring.records import percent

_NOT_OF_THE_SERIES = {"loads", "seeds", "routers", "json", "at_most"}
_MORE_LEFT_STATUS = 4


def main() -> int:
    """Measures what is not in the file yet, and prints the tables; 4 where some is left."""
    arguments = _arguments()
    # Ended from outside, it ends its replicas and its router too. As an interrupt, because the
    # event loop swallows an exception that a handler raises within a callback.
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    versions = {name: str(pin) for name, pin in PINS.items()}
    series = Series(arguments.json, _kept(arguments), {"versions": versions, **about()})
    try:
        series.read()
        left = _measure(arguments, series)
    except ConfigError as error:
        print(f"bench.peers: {error}", file=sys.stderr)
        return 1
    print(report(series.runs))
    return _MORE_LEFT_STATUS if left else 0


def _arguments() -> argparse.Namespace:
    parser = Parser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument(
        "--loads", type=float, nargs="+", default=[20, 26, 32], help="requests/s, or developers"
    )
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of the workload")
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="which: 1 2 3")
    parser.add_argument(
        "--stretch", type=float, default=1.0, help="all times and targets so many times as long"
    )
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="replicas and client before everything else on the machine, the router not (root)",
    )
    parser.add_argument("--routers", nargs="*", help="; ".join(r.name for r in ROUTERS))
    parser.add_argument(
        "--json",
        type=output_file,
        help="every run's score; runs that are in the file are not made again",
    )
    parser.add_argument(
        "--at-most",
        type=float,
        default=float("inf"),
        metavar="S",
        help="begin no further run after so many seconds; asked again, it goes on (status 4)",
    )
    add_workload_arguments(parser)
    return parser.parse(sys.argv[1:])


def _kept(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a run must have in common with the others of its table. Of a path the name."""
    return {
        name: value.name if isinstance(value, Path) else value
        for name, value in vars(arguments).items()
        if name not in _NOT_OF_THE_SERIES
    }


def _measure(arguments: argparse.Namespace, series: Series) -> bool:
    """Whether something is left to be measured. Raises ConfigError naming a bad argument."""
    setting = Setting(arguments.replicas, arguments.stretch, arguments.real_time)
    ends = time.monotonic() + arguments.at_most
    for router, load, seed in _cells(arguments):
        if series.has(router.name, load, seed):
            continue
        if time.monotonic() > ends:
            return True
        workload = workload_of(arguments, arguments.duration, load)
        run = measure(router, workload, load, seed, setting)
        _tell(run)
        series.add(run.record())
    return False


def _cells(arguments: argparse.Namespace) -> Iterator[tuple[Router, float, int]]:
    """Routers innermost: what is compared is measured at about the same time."""
    for seed in arguments.seeds:
        for load in arguments.loads:
            for router in _chosen(arguments.routers):
                yield router, load, seed


def _chosen(names: list[str] | None) -> list[Router]:
    known = {router.name: router for router in ROUTERS}
    for name in names or ():
        if name not in known:
            raise ConfigError.of("--routers", name, f"some of {'; '.join(known)}")
    return [known[name] for name in names or known]


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


if __name__ == "__main__":
    sys.exit(main())
