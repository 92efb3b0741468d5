"""What the gateway adds: `python -m bench.gateway`. See bench/README.md."""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.machine import about
from bench.processes import Measured, fake_engine, gateway
from bench.streams import Timing, concurrent
from cato_backend.commands.arguments import output_file

MODEL = "cato-embedded"
TOKENS_PER_S = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one path, in milliseconds."""

    ttft_p50: float
    ttft_p99: float
    transit_p50: float
    transit_p99: float
    tpot_p50: float


@dataclass(slots=True)
class Row:
    """All repeats at one number of streams, each direct run followed by one through the gateway."""

    streams: int
    direct: list[Sample] = field(default_factory=list)
    through: list[Sample] = field(default_factory=list)
    gateway_cpu_us_per_token: list[float] = field(default_factory=list)
    gateway_starved_percent: list[float] = field(default_factory=list)

    def added(self, name: str) -> list[float]:
        """The gateway's value less the direct one, repeat by repeat."""
        pairs = zip(self.through, self.direct, strict=True)
        return [getattr(ours, name) - getattr(theirs, name) for ours, theirs in pairs]


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def sample(timings: list[Timing]) -> Sample:
    """One run in five numbers. The first token's transit is part of the TTFT alone."""
    transit = [ms for timing in timings for ms in timing.transit_ms[1:]]
    ttft = [timing.ttft_ms for timing in timings]
    return Sample(
        ttft_p50=quantile(ttft, 0.5),
        ttft_p99=quantile(ttft, 0.99),
        transit_p50=quantile(transit, 0.5),
        transit_p99=quantile(transit, 0.99),
        tpot_p50=quantile((timing.tpot_ms for timing in timings), 0.5),
    )


async def measure_row(
    model: str,
    streams: int,
    seconds: float,
    repeats: int,
    direct: str,
    through: str,
    process: Measured,
) -> Row:
    """Paired runs: the same load on the engine directly, then through the gateway."""
    tokens = max(2, int(seconds * TOKENS_PER_S))
    row = Row(streams)
    rounds = max(1, 32 // streams)
    for _ in range(repeats):
        for url, samples in ((direct, row.direct), (through, row.through)):
            before, starved, started = process.cpu_s(), process.starved_s(), time.monotonic()
            timings: list[Timing] = []
            for _ in range(rounds):
                per_round = max(2, tokens // rounds)
                timings += await concurrent(url, model, streams, per_round, spread_s=1.0)
            samples.append(sample(timings))
        used, elapsed = process.cpu_s() - before, time.monotonic() - started
        row.gateway_starved_percent.append(100 * (process.starved_s() - starved) / elapsed)
        row.gateway_cpu_us_per_token.append(
            used * 1e6 / sum(len(timing.transit_ms) for timing in timings)
        )
    return row


async def cpu_ms_per_request(url: str, process: Measured, requests: int, at_once: int) -> float:
    """CPU time of the gateway for a completion of one token, connection and all, in ms."""
    before = process.cpu_s()
    for _ in range(requests // at_once):
        await concurrent(url, MODEL, at_once, 1, spread_s=0.0)
    return (process.cpu_s() - before) * 1e3 / (requests // at_once * at_once)


async def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Starts both processes, runs everything, returns the raw results."""
    log = folder / "bench.log"
    with (
        fake_engine(1000 / TOKENS_PER_S, log) as (direct, _),
        gateway(direct, log) as (through, process),
    ):
        idle_mib = process.memory_mib()
        await concurrent(through, MODEL, 8, 10, spread_s=0.0)
        costs = [
            await cpu_ms_per_request(through, process, arguments.requests, 32)
            for _ in range(arguments.repeats)
        ]
        rows = [
            await measure_row(
                MODEL, streams, arguments.seconds, arguments.repeats, direct, through, process
            )
            for streams in arguments.streams
        ]
        return {
            "about": about(),
            "memory_mib": {"idle": idle_mib, "most": process.memory_mib("VmHWM")},
            "cpu_ms_per_request": costs,
            "rows": [asdict(row) for row in rows],
            "table": table(rows, costs, idle_mib, process.memory_mib("VmHWM")),
        }


def table(rows: list[Row], costs: list[float], idle_mib: float, most_mib: float) -> str:
    """The figures as Markdown: median over the repeats, and the least and the most."""
    lines = [
        f"| added by the gateway, ms | {' | '.join(f'{row.streams} streams' for row in rows)} |",
        f"|---|{'---|' * len(rows)}",
    ]
    for title, name in (
        ("TTFT p50", "ttft_p50"),
        ("TTFT p99", "ttft_p99"),
        ("a token's way p50", "transit_p50"),
        ("a token's way p99", "transit_p99"),
        ("TPOT p50", "tpot_p50"),
    ):
        lines.append(f"| {title} | {' | '.join(spread(row.added(name)) for row in rows)} |")
    direct = (spread([one.transit_p99 for one in row.direct]) for row in rows)
    lines.append(f"| (direct: a token's way p99) | {' | '.join(direct)} |")
    cpu = (spread(row.gateway_cpu_us_per_token, 0) for row in rows)
    lines.append(f"| (gateway's CPU time per token, µs) | {' | '.join(cpu)} |")
    starved = (spread(row.gateway_starved_percent, 0) for row in rows)
    lines.append(f"| (gateway was ready but had no core, % of the time) | {' | '.join(starved)} |")
    rate = spread([1000 / cost for cost in costs], 0)
    memory = f"{idle_mib:.0f} MiB idle, {most_mib:.0f} MiB at most"
    return "\n".join([*lines, "", f"Requests/s per core: {rate}. Memory: {memory}."])


def spread(values: list[float], digits: int = 2) -> str:
    """Median (least to most)."""
    middle = f"{statistics.median(values):.{digits}f}"
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 32, 200])
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--requests", type=int, default=512, help="for requests/s, each repeat")
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    gc.freeze()  # The client's own pauses would be measured as the gateway's.
    with tempfile.TemporaryDirectory() as folder:
        results = uvloop.run(measure(arguments, Path(folder)))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    print("\n".join(f"{name}: {value}" for name, value in results["about"].items()))
    print(f"\n{results['table']}")


if __name__ == "__main__":
    main()
