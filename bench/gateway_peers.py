"""What passing a request on costs, beside other proxies: `python -m bench.gateway_peers`. See
bench/README.md."""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.gateway import Row, measure_row, spread
from bench.machine import about
from bench.peers.environments import PINS
from bench.peers.routers import ROUTERS, Router, started
from bench.peers.tables import markdown
from bench.processes import Measured, fake_engine, gateway
from bench.streams import concurrent
from cato_backend.commands.arguments import output_file

MODEL = "cato-emulated"
TOKENS_PER_S = 30.0
_AT_ONCE = 32
_IDLE_S = 2.0

Start = Callable[[str, Path], AbstractContextManager[tuple[str, Measured]]]
"""The replica's URL and a folder to a running proxy: its URL and its process."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one proxy took. CPU times are of all its processes, less what they take when idle."""

    name: str
    idle_cpu_share: float
    cpu_ms_per_request: list[float]
    streams: Row

    @property
    def requests_per_s(self) -> float:
        """Of one core that does nothing else."""
        return 1e3 / statistics.median(self.cpu_ms_per_request)


def _proxies() -> dict[str, Start]:
    return {
        "cato (policy least-outstanding-tokens)": lambda url, folder: gateway(
            url, folder / "cato.log"
        ),
        **{router.name: _start(router) for router in ROUTERS if "+priority" not in router.name},
    }


def _start(router: Router) -> Start:
    return lambda url, folder: started(router, [url], folder, 1.0)


async def measure(name: str, start: Start, arguments: argparse.Namespace) -> Cost:
    """A fresh replica that answers at once, and the proxy in front of it."""
    with _proxy(start) as (direct, through, process):
        await concurrent(through, MODEL, 8, 10, spread_s=0.0)
        idle = _idle_cpu_share(process)
        requests = [
            await _cpu_ms_per_request(through, process, arguments.requests, idle)
            for _ in range(arguments.repeats)
        ]
        streams = await measure_row(
            MODEL, arguments.streams, arguments.seconds, arguments.repeats, direct, through, process
        )
    return Cost(name, idle, requests, streams)


@contextmanager
def _proxy(start: Start) -> Iterator[tuple[str, str, Measured]]:
    with tempfile.TemporaryDirectory(prefix="cato-proxies-") as name:
        folder = Path(name)
        with (
            fake_engine(1000 / TOKENS_PER_S, folder / "fake.log", MODEL) as (direct, _),
            start(direct, folder) as (through, process),
        ):
            yield direct, through, process


def _idle_cpu_share(process: Measured) -> float:
    before = process.cpu_s()
    time.sleep(_IDLE_S)
    return (process.cpu_s() - before) / _IDLE_S


async def _cpu_ms_per_request(url: str, process: Measured, requests: int, idle: float) -> float:
    """For a completion of one token, connection and all."""
    before, began = process.cpu_s(), time.monotonic()
    for _ in range(requests // _AT_ONCE):
        await concurrent(url, MODEL, _AT_ONCE, 1, spread_s=0.0)
    used = process.cpu_s() - before - idle * (time.monotonic() - began)
    return used * 1e3 / (requests // _AT_ONCE * _AT_ONCE)


def table(costs: list[Cost]) -> str:
    """Medians over the repeats, the least and the most in brackets."""
    ours = costs[0].requests_per_s
    rows = [
        [
            cost.name,
            f"{cost.requests_per_s:.0f}",
            f"{ours / cost.requests_per_s:.1f}x",
            spread(cost.cpu_ms_per_request),
            spread(cost.streams.gateway_cpu_us_per_token, 0),
            spread(cost.streams.added("ttft_p50")),
            spread(cost.streams.added("ttft_p99")),
            f"{cost.idle_cpu_share:.0%}",
        ]
        for cost in costs
    ]
    headings = [
        *("proxy", "requests/s per core", "ours to it", "CPU ms a request", "CPU µs a token"),
        *("added TTFT p50, ms", "p99", "of a core when idle"),
    ]
    return markdown(headings, rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proxies", nargs="*", help="; ".join(_proxies()))
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one run of streams")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--requests", type=int, default=512, help="for requests/s, each repeat")
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    gc.freeze()  # The client's own pauses would be measured as the proxies'.
    costs: list[Cost] = []
    for name, start in _proxies().items():
        if not arguments.proxies or name in arguments.proxies:
            costs.append(uvloop.run(measure(name, start, arguments)))
            print(f"{name}: {costs[-1].requests_per_s:.0f} requests/s", file=sys.stderr, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(_document(costs), indent=1) + "\n")
    print(table(costs))


def _document(costs: list[Cost]) -> dict[str, Any]:
    versions = {name: str(pin) for name, pin in PINS.items()}
    return {
        "about": about(),
        "versions": versions,
        "costs": [asdict(cost) for cost in costs],
        "table": table(costs),
    }


if __name__ == "__main__":
    main()
