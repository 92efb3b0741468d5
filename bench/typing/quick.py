"""The same people on a clock that jumps: minutes of typing in seconds, the same on any machine.

    python -m bench.typing.quick                                # held-out files, three seeds
    python -m bench.typing.quick --tuning --confidences hidden none --accepts once on --account

The completion service runs in this process, without LSP, HTTP and the gateway, whose times are
taken for constant. Engine time is that of the replicas' steps, whatever is in them.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp

from bench.machine import save
from bench.typing import virtual
from bench.typing.account import Account
from bench.typing.editors import EDITORS
from bench.typing.engines import Model
from bench.typing.inside import InsideEditor
from bench.typing.people import Client, Sitting, add_people, develop, scripts_of
from bench.typing.plain import PLUGINS, PlainClient
from bench.typing.replicas import Fleet, PlainHttp
from bench.typing.report import Row
from bench.typing.screen import Screen, Seen
from bench.typing.scripts import Script
from bench.typing.spending import Spending
from cato_backend.commands.arguments import output_file
from cato_lab.scoring.statistics import interval

SHOWN = (
    "right_in_300_ms",
    "right_in_500_ms",
    "wrong_in_500_ms",
    "right_characters",
    "saved",
    "saved_per_engine_s",
    "engine_ms_per_key",
    "requests",
)


def main() -> None:
    """Measures each client with each model, and prints a table."""
    arguments = _parser().parse_args()
    print("| model | accepts | client |", " | ".join(SHOWN), "|")
    print("|---|---|---|" + "---|" * len(SHOWN), flush=True)
    runs: list[dict[str, Any]] = []
    for confidence in arguments.confidences:
        for accept in arguments.accepts:
            for name in arguments.clients:
                sittings = [
                    measured(name, _options(arguments, confidence, accept, seed))
                    for seed in range(1, arguments.seeds + 1)
                ]
                rows = [sitting.row for sitting in sittings]
                cells = [_interval([getattr(row, each) for row in rows]) for each in SHOWN]
                print(f"| {confidence} | {accept} | {name} |", " | ".join(cells), "|", flush=True)
                if arguments.account:
                    print(_account(sittings), flush=True)
                said = {"confidence": confidence, "accept": accept, "client": name}
                runs.append({**said, "rows": [asdict(row) for row in rows]})
    if arguments.json is not None:
        save(arguments.json, {"runs": runs})


@dataclass(frozen=True, slots=True)
class Measured:
    """What one client did for everybody, and where characters and engine time were lost."""

    row: Row
    account: Account
    spending: Spending


def measured(name: str, arguments: argparse.Namespace) -> Measured:
    """What one client did for everybody."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        scripts = scripts_of(arguments, corpus)
        model = Model(corpus, arguments.error_rate, arguments.confidence, arguments.step_ms / 1000)
        fleet = Fleet(model, arguments.replicas, arguments.seed)
        return virtual.run(_run(name, scripts, fleet, arguments))


async def _run(
    name: str, scripts: list[Script], fleet: Fleet, arguments: argparse.Namespace
) -> Measured:
    everybody, account = Seen(), Account()
    work = (
        _one(name, number, typed, fleet, account, arguments) for number, typed in enumerate(scripts)
    )
    for seen in await asyncio.gather(*work):
        everybody.add(seen)
    row = Row.of(name, everybody, fleet.counts(), len(scripts))
    return Measured(row, account, fleet.spending())


async def _one(
    name: str,
    number: int,
    typed: Script,
    fleet: Fleet,
    account: Account,
    arguments: argparse.Namespace,
) -> Seen:
    screen = Screen(typed.truth, len(typed.before))
    client: Client
    if name in EDITORS:
        least = arguments.min_confidence
        settings = {} if least is None else {"minConfidence": least}
        client = InsideEditor(EDITORS[name], typed, screen, fleet.of(number), settings, account)
    else:
        http = cast(aiohttp.ClientSession, PlainHttp(fleet.of(number)))
        client = PlainClient(PLUGINS[name], typed, screen, "", http)
    await client.start("", 0)
    sitting = Sitting(number * 0.37, arguments.seconds, arguments.accept)
    await develop(typed, client, screen, sitting)
    return screen.seen


def _account(sittings: list[Measured]) -> str:
    """Where characters and engine time went, in words."""
    account, spending = Account(), Spending()
    for sitting in sittings:
        account.add(sitting.account)
        spending.add(sitting.spending)
    return f"{account}\n{spending.told(sum(sitting.row.keys for sitting in sittings))}"


def _interval(values: list[float]) -> str:
    """The mean, and half the width of its 95% interval."""
    scale = 100 if max(values) <= 1 else 1
    found = interval([scale * value for value in values])
    return f"{found.mean:.1f} ± {found.half:.1f}" if len(values) > 1 else f"{found.mean:.1f}"


def _options(
    arguments: argparse.Namespace, confidence: str, accept: str, seed: int
) -> argparse.Namespace:
    return argparse.Namespace(
        **{**vars(arguments), "confidence": confidence, "accept": accept, "seed": seed}
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    clients = [*EDITORS, *PLUGINS]
    parser.add_argument(
        "--clients", nargs="+", choices=clients, default=["vscode", "naive150", "tabby"]
    )
    parser.add_argument("--confidences", nargs="+", default=["calibrated", "hidden", "none"])
    parser.add_argument("--accepts", nargs="+", default=["once", "on"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--min-confidence", type=float, help="of cato-lsp; else its default")
    parser.add_argument("--json", type=output_file)
    parser.add_argument(
        "--account", action="store_true", help="tell where characters and engine time were lost"
    )
    add_people(parser)
    return parser


if __name__ == "__main__":
    main()
