"""Two checkouts' gateways side by side: `python -m bench.gateway_pair CHECKOUT [CHECKOUT]`.

    git worktree add /tmp/before v0.1.0
    python -m bench.gateway_pair /tmp/before --rounds 12

Each has an emulated replica of its own. Both get the same short bursts, in turns and in changing
order, so that what else the machine does falls on both alike. Printed for each shape of burst:
milliseconds of CPU time for a request (user and system, all threads, by the kernel's scheduler),
and the median over rounds of the second checkout's by the first one's, with the middle half.
The second one is this checkout unless it is named. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.gateway import MODEL, TOKENS_PER_S
from bench.machine import about
from bench.processes import Measured, fake_engine, gateway
from bench.streams import concurrent
from cato_backend.commands.arguments import output_file

HERE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Burst:
    """Streams of equal length that begin within `spread_s` seconds; repeated `times` times."""

    streams: int
    tokens: int
    spread_s: float = 0.0
    times: int = 1

    def __str__(self) -> str:
        return f"{self.streams} x {self.tokens} tokens"


BURSTS = (Burst(1, 3, times=6), Burst(32, 1, times=6), Burst(32, 60, 1.0), Burst(200, 30, 0.5))


@dataclass(frozen=True, slots=True)
class Side:
    """One checkout's gateway."""

    checkout: Path
    url: str
    process: Measured

    async def cpu_ms(self, burst: Burst) -> float:
        """For each request of the burst."""
        before = self.process.cpu_s()
        for _ in range(burst.times):
            await concurrent(self.url, MODEL, burst.streams, burst.tokens, spread_s=burst.spread_s)
        return (self.process.cpu_s() - before) * 1e3 / (burst.streams * burst.times)


@contextmanager
def _serving(checkout: Path, folder: Path) -> Iterator[Side]:
    """The engine of this checkout, the gateway of the other."""
    folder.mkdir()
    log = folder / "bench.log"
    with ExitStack() as stack:
        with _within(HERE):
            engine, _ = stack.enter_context(fake_engine(1000 / TOKENS_PER_S, log))
        with _within(checkout):
            url, process = stack.enter_context(gateway(engine, log))
        yield Side(checkout, url, process)


@contextmanager
def _within(checkout: Path) -> Iterator[None]:
    """Processes that are started inside import that checkout's packages."""
    former, folder = os.environ.get("PYTHONPATH"), Path.cwd()
    os.environ["PYTHONPATH"] = f"{checkout}{os.pathsep}{checkout / 'backend'}"
    os.chdir(checkout)
    try:
        yield
    finally:
        os.chdir(folder)
        if former is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = former


async def measure(sides: list[Side], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds a request by burst and round, of both."""
    for side in sides:
        await concurrent(side.url, MODEL, 8, 10, spread_s=0.0)
        await side.cpu_ms(BURSTS[1])
    found: dict[str, list[tuple[float, float]]] = {str(burst): [] for burst in BURSTS}
    for number in range(rounds):
        for burst in BURSTS:
            order = sides if number % 2 else sides[::-1]
            costs = {side.url: await side.cpu_ms(burst) for side in order}
            found[str(burst)].append((costs[sides[0].url], costs[sides[1].url]))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def table(found: dict[str, list[tuple[float, float]]]) -> str:
    """As Markdown."""
    lines = [
        "| burst | first, CPU ms a request | second | second by first (middle half) |",
        "|---|---|---|---|",
    ]
    for burst, pairs in found.items():
        first, second = (statistics.median(each) for each in zip(*pairs, strict=True))
        low, middle, high = statistics.quantiles([b / a for a, b in pairs], n=4)
        lines.append(
            f"| {burst} | {first:.2f} | {second:.2f} | {middle:.2f} ({low:.2f} to {high:.2f}) |"
        )
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", type=Path, nargs="+", metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=12, help="at least 2")
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    checkouts = [path.resolve() for path in arguments.checkouts][:2]
    checkouts += [HERE] * (2 - len(checkouts))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sides = [
            stack.enter_context(_serving(checkout, Path(folder) / str(number)))
            for number, checkout in enumerate(checkouts)
        ]
        found = uvloop.run(measure(sides, arguments.rounds))
    if arguments.json:
        arguments.json.write_text(json.dumps({"about": about(), "cpu_ms": found}, indent=1))
    print(table(found))


if __name__ == "__main__":
    main()
