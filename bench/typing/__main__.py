"""Simulated developers type real files: through `cato-lsp`, and through plainer clients.

    python -m bench.typing                    # four developers, a minute each: about ten minutes
    python -m bench.typing --clients vscode naive150 --developers 4 --seconds 60 --json out.json

Everybody types the same keys at the same times in each run. The replicas are emulated: their model
knows the files, and errs at the set rate. Times are real, so that a slow machine shows: the share
of steps that were more than 5 ms late is printed, and above 1% a row says more of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import aiohttp

from bench.machine import save
from bench.processes import running
from bench.typing.editors import EDITORS, Editor
from bench.typing.engines import Backend, Model, backend
from bench.typing.people import Client, Sitting, add_people, develop, scripts_of
from bench.typing.plain import PLUGINS, PlainClient
from bench.typing.report import HEADER, Row
from bench.typing.screen import Screen, Seen
from bench.typing.scripts import Script
from cato_backend.commands.arguments import output_file

CLIENTS = [*EDITORS, *PLUGINS]


def main() -> None:
    """Measures each client and prints a table."""
    arguments = _parser().parse_args()
    rows: list[Row] = []
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        scripts = scripts_of(arguments, Path(folder) / "corpus")
        for name in arguments.clients:
            # Fresh replicas for each: nobody profits from what another one had cached.
            row = _measured(name, scripts, arguments, Path(folder))
            rows.append(row)
            print(row, flush=True)
    if arguments.json is not None:
        options = {k: v for k, v in vars(arguments).items() if k not in {"json", "clients"}}
        save(arguments.json, {"runs": [{"options": options, "rows": [asdict(r) for r in rows]}]})


def _measured(name: str, scripts: list[Script], arguments: argparse.Namespace, folder: Path) -> Row:
    log = folder / f"{name}.log"
    step_s = arguments.step_ms / 1000
    model = Model(folder / "corpus", arguments.error_rate, arguments.confidence, step_s)
    with (
        backend(model, arguments.replicas, log) as running_backend,
        _language_server(log) as address,
    ):
        return asyncio.run(_run(name, scripts, running_backend, address, arguments))


async def _run(
    name: str,
    scripts: list[Script],
    served: Backend,
    address: tuple[str, int],
    arguments: argparse.Namespace,
) -> Row:
    before = served.counts()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        developers = (
            _develop(name, script, served, address, http, number * 0.37, arguments)
            for number, script in enumerate(scripts)
        )
        everybody = Seen()
        for seen in await asyncio.gather(*developers):
            everybody.add(seen)
    return Row.of(name, everybody, served.counts().since(before), len(scripts))


async def _develop(
    name: str,
    typed: Script,
    served: Backend,
    address: tuple[str, int],
    http: aiohttp.ClientSession,
    begins_after_s: float,
    arguments: argparse.Namespace,
) -> Seen:
    screen = Screen(typed.truth, len(typed.before))
    client: Client
    if name in EDITORS:
        least = arguments.min_confidence
        settings = {} if least is None else {"minConfidence": least}
        client = Editor(EDITORS[name], typed, screen, served.url, settings)
    else:
        client = PlainClient(PLUGINS[name], typed, screen, served.url, http)
    await client.start(*address)
    habits = Sitting(begins_after_s, arguments.seconds, arguments.accept)
    await develop(typed, client, screen, habits)
    return screen.seen


@contextmanager
def _language_server(log: Path) -> Iterator[tuple[str, int]]:
    """`cato-lsp` for all developers, in a process of its own; its host and port."""
    address_log = log.with_suffix(".lsp")
    address_log.unlink(missing_ok=True)
    with running([sys.executable, "-m", "cato_lsp", "--tcp", "--port", "0"], address_log):
        while "tcp://" not in (said := address_log.read_text()):
            time.sleep(0.05)
        host, port = said.strip().splitlines()[0].rpartition("://")[2].split(":")
        yield host, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=CLIENTS)
    parser.add_argument("--min-confidence", type=float, help="of cato-lsp; else its default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=output_file)
    add_people(parser)
    return parser


if __name__ == "__main__":
    main()
