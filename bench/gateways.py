"""What front processes add and what they take off the scheduler: `python -m bench.gateways`.

One emulated replica, and `cato serve` with one gateway (a single process) and with N of them, in
turns within each repeat, so that all see the same machine. A request is a completion of one token
on a connection of its own, 32 at once; a token is one of 32 streams.

- CPU time of the scheduler's process and of all fronts, for a request and for a token, from the
  kernel's accounts: they hold on a busy machine and on one with few cores.
- What follows from them: the requests/s of the scheduler with one core of its own, the fronts that
  it takes to bring them, and both beside one gateway on one core.
- Requests/s as they were here. They say little where there are fewer cores than processes.
- Added TTFT: of one stream at a time, median, less that of one gateway in the same repeat.
- The limit of deciding alone: `Scheduler.handle` in this process, 64 replicas and 640 requests in
  flight, as in `bench.decisions`; a request there is its arrival, four tokens and its end.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench import decisions
from bench.gateway import MODEL, spread
from bench.machine import about, save
from bench.processes import Measured, fake_engine, gateway
from bench.streams import concurrent
from cato_backend.commands.arguments import output_file

AT_ONCE = 32
DECIDING_REPLICAS, DECIDING_REQUESTS, DECIDING_TURNS = 64, 640, 2000
POLICIES = ("cato", "least-outstanding-tokens")
TOKENS = 60


@dataclass(slots=True)
class Row:
    """All repeats with one number of gateways. CPU times in milliseconds, of the scheduler's
    process and of all fronts together; one gateway has no fronts."""

    gateways: int
    scheduler_ms_per_request: list[float] = field(default_factory=list[float])
    fronts_ms_per_request: list[float] = field(default_factory=list[float])
    scheduler_us_per_token: list[float] = field(default_factory=list[float])
    fronts_us_per_token: list[float] = field(default_factory=list[float])
    requests_per_s: list[float] = field(default_factory=list[float])
    ttft_p50_ms: list[float] = field(default_factory=list[float])

    @property
    def scheduler_limit(self) -> float:
        """Requests/s at which the scheduler's process fills a core."""
        return 1e3 / statistics.median(self.scheduler_ms_per_request)

    @property
    def fronts_for_it(self) -> int:
        """Fronts that bring so many, each with a core of its own."""
        per_request = statistics.median(self.fronts_ms_per_request)
        return max(1, math.ceil(self.scheduler_limit * per_request / 1e3))


class Accounts:
    """CPU time of a server's processes since the last look."""

    def __init__(self, process: Measured) -> None:
        self._process = process
        self._before = process.cpu_by_process_s()

    def spent_s(self) -> tuple[float, float]:
        """Of the scheduler's process, and of the fronts."""
        now = self._process.cpu_by_process_s()
        spent = {pid: used - self._before.get(pid, 0.0) for pid, used in now.items()}
        self._before = now
        scheduler = spent.pop(self._process.pid)
        return scheduler, sum(spent.values())


async def measure_once(url: str, process: Measured, row: Row, requests: int) -> None:
    """One repeat of one number of gateways."""
    await concurrent(url, MODEL, AT_ONCE, 2, spread_s=0.0)
    accounts, rounds = Accounts(process), max(1, requests // AT_ONCE)
    began = time.monotonic()
    for _ in range(rounds):
        await concurrent(url, MODEL, AT_ONCE, 1, spread_s=0.0)
    row.requests_per_s.append(rounds * AT_ONCE / (time.monotonic() - began))
    scheduler_s, fronts_s = accounts.spent_s()
    row.scheduler_ms_per_request.append(1e3 * scheduler_s / (rounds * AT_ONCE))
    row.fronts_ms_per_request.append(1e3 * fronts_s / (rounds * AT_ONCE))
    await concurrent(url, MODEL, AT_ONCE, TOKENS, spread_s=0.0)
    scheduler_s, fronts_s = accounts.spent_s()
    row.scheduler_us_per_token.append(1e6 * scheduler_s / (AT_ONCE * TOKENS))
    row.fronts_us_per_token.append(1e6 * fronts_s / (AT_ONCE * TOKENS))
    alone = [(await concurrent(url, MODEL, 1, 2, spread_s=0.0))[0].ttft_ms for _ in range(40)]
    row.ttft_p50_ms.append(statistics.median(alone))


async def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Start everything, run all repeats in turns, and return the results."""
    rows = [Row(number) for number in (1, *arguments.gateways)]
    with ExitStack() as stack:
        replica, _ = stack.enter_context(fake_engine(2.0, folder / "engine.log"))
        servers = [
            stack.enter_context(
                gateway(replica, folder / f"{row.gateways}.log", "--gateways", str(row.gateways))
            )
            for row in rows
        ]
        for _ in range(arguments.repeats):
            for row, (url, process) in zip(rows, servers, strict=True):
                await measure_once(url, process, row, arguments.requests)
    return {
        "cores": os.cpu_count(),
        "deciding": {policy: deciding(policy) for policy in POLICIES},
        "rows": [
            asdict(row)
            | {"scheduler_limit": row.scheduler_limit, "fronts_for_it": row.fronts_for_it}
            for row in rows
        ],
        "table": table(rows),
    }


def deciding(policy: str) -> dict[str, float]:
    """Return how many events and requests a second one core decides, each at its shortest time."""
    tellings = [
        decisions.measure(policy, DECIDING_REPLICAS, DECIDING_REQUESTS, DECIDING_TURNS, 200, 0)
        for _ in range(3)
    ]
    took = decisions.shortest(tellings)
    seconds = sum(us for _, us in took) / 1e6
    return {"events_per_s": len(took) / seconds, "requests_per_s": DECIDING_TURNS / seconds}


def table(rows: list[Row]) -> str:
    """Return the figures as Markdown: medians over the repeats, the least and the most."""
    one = rows[0]
    lines = [
        "| gateways | scheduler, CPU ms a request | fronts, CPU ms a request |"
        " scheduler, CPU µs a token | fronts, CPU µs a token | scheduler's limit, requests/s |"
        " by one gateway | fronts for it | added TTFT p50, ms | requests/s here |",
        f"|{'---|' * 10}",
    ]
    for row in rows:
        added = [
            ours - theirs for ours, theirs in zip(row.ttft_p50_ms, one.ttft_p50_ms, strict=True)
        ]
        cells = (
            str(row.gateways),
            spread(row.scheduler_ms_per_request),
            spread(row.fronts_ms_per_request),
            spread(row.scheduler_us_per_token, 0),
            spread(row.fronts_us_per_token, 0),
            f"{row.scheduler_limit:.0f}",
            f"{row.scheduler_limit / one.scheduler_limit:.2f}",
            "-" if row is one else str(row.fronts_for_it),
            "-" if row is one else spread(added),
            spread(row.requests_per_s, 0),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateways", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--requests", type=int, default=512, help="of each repeat")
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    gc.freeze()  # The client's own pauses would be measured as the gateway's.
    with tempfile.TemporaryDirectory() as folder:
        results = uvloop.run(measure(arguments, Path(folder)))
    if arguments.json:
        save(arguments.json, results)
    print("\n".join(f"{name}: {value}" for name, value in about().items()))
    print(f"\n{results['table']}")
    for policy, told in results["deciding"].items():
        events, requests = told["events_per_s"], told["requests_per_s"]
        print(f"deciding alone, {policy}: {events:.0f} events/s, {requests:.0f} requests/s")


if __name__ == "__main__":
    main()
