"""What clients see of each kind of fault: `python -m bench.chaos`. See docs/reliability.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.chaos.engines import Engine, engines
from bench.chaos.faults import KINDS, Kind, Place, healed
from bench.chaos.load import End, Seen, steady
from bench.chaos.report import write_table
from bench.chaos.systems import Running, Start, systems
from bench.machine import about
from cato_backend.commands.arguments import output_file

REPLICAS, RATE = 3, 12.0
CALM_S, FAULT_S, AFTER_S = 2.0, 5.0, 6.0
_BACK_TOKENS = 80
"""So many further tokens prove that a replica serves again: more than a synthetic request asks."""
_LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """One kind of fault once. Requests that came from the fault's begin on, by their end; `late`:
    whole, but more than a second slower than the slowest before; the longest delay and the time
    until the replica served again after the fault in seconds."""

    system: str
    kind: str
    seed: int
    ends: dict[str, int]
    late: int
    longest_delay_s: float
    back_s: float | None


async def run(name: str, start: Start, kind: Kind, seed: int) -> Run:
    """A fleet and a gateway of its own."""
    with tempfile.TemporaryDirectory(prefix="cato-chaos-") as folder:
        async with engines(REPLICAS) as fleet:
            with start(fleet, Path(folder)) as gateway:
                return await _disturbed(name, gateway, fleet, kind, seed)


async def _disturbed(
    name: str, gateway: Running, fleet: list[Engine], kind: Kind, seed: int
) -> Run:
    place = Place(fleet, gateway.url, gateway.others_headers, gateway.reload)
    loop = asyncio.get_running_loop()
    began = loop.time()
    seconds = CALM_S + FAULT_S + AFTER_S
    asking = asyncio.create_task(
        steady(gateway.url, gateway.headers, RATE, seconds, f"{kind.name} {seed}")
    )
    await asyncio.sleep(CALM_S)
    async with kind.fault(place):
        await asyncio.sleep(FAULT_S)
    await healed(place)
    back_s = await _back(fleet[0], asking) if kind.of_replica else None
    return _summary(name, kind, seed, await asking, began + CALM_S, back_s)


async def _back(engine: Engine, asking: asyncio.Task[list[Seen]]) -> float | None:
    """Seconds until it serves again; None where it does not while there is load."""
    loop = asyncio.get_running_loop()
    healed_at, before = loop.time(), await engine.tokens()
    while not asking.done():
        if await engine.tokens() >= before + _BACK_TOKENS:
            return loop.time() - healed_at
        await asyncio.sleep(0.05)
    return None


def _summary(
    name: str, kind: Kind, seed: int, seen: list[Seen], struck: float, back_s: float | None
) -> Run:
    usual_s = max((each.took_s for each in seen if each.ended < struck), default=0.0)
    # Those in flight when it strikes are the ones that a fault harms first.
    hit = [each for each in seen if each.ended >= struck]
    delays = [each.took_s - usual_s for each in hit if each.end is End.WHOLE]
    return Run(
        name,
        kind.name,
        seed,
        {end.value: sum(each.end is end for each in hit) for end in End},
        sum(delay > _LATE_S for delay in delays),
        max(0.0, *delays) if delays else 0.0,
        back_s,
    )


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All kinds, the systems side by side at once."""
    chosen = [kind for kind in KINDS if arguments.only in kind.name]
    runs = list[Run]()
    for number, kind in enumerate(chosen):
        for seed in range(arguments.seeds):
            at_once = [run(name, start, kind, seed) for name, start in systems().items()]
            runs += await asyncio.gather(*at_once)
            print(f"\r{number + 1}/{len(chosen)} {kind.name}, seed {seed}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return {
        "about": about(),
        "command": "python -m bench.chaos " + " ".join(sys.argv[1:]),
        "rate": RATE,
        "replicas": REPLICAS,
        "seconds": FAULT_S,
        "seeds": arguments.seeds,
        "runs": [asdict(each) for each in runs],
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each kind of fault")
    parser.add_argument("--only", default="", help="only kinds whose name contains this")
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    parser.add_argument("--table", type=Path, help="write the table into this page")
    parser.add_argument("--of", type=Path, help="measure nothing: the table of this result file")
    arguments = parser.parse_args()
    if arguments.of:
        document = json.loads(arguments.of.read_text())
    else:
        document = uvloop.run(measure(arguments))
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(write_table(document, arguments.table))


if __name__ == "__main__":
    main()
