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
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import aiohttp

from bench.processes import running
from bench.typing.editors import NEOVIM, VSCODE, Editor, Habits
from bench.typing.engines import Backend, Model, backend
from bench.typing.plain import PLUGINS, PlainClient
from bench.typing.report import HEADER, Row
from bench.typing.screen import LOOKS_S, Screen, Seen
from bench.typing.scripts import Key, Script, script, sources
from cato_backend.commands.arguments import output_file

EDITORS: dict[str, Habits] = {"vscode": VSCODE, "neovim": NEOVIM}
CLIENTS = [*EDITORS, *PLUGINS]


class Client(Protocol):
    """What stands between a developer's hands and the gateway."""

    async def start(self, host: str, port: int, /) -> None:
        """Gets ready."""

    def key(self, text: str, offset: int) -> None:
        """A key."""

    def accept(self, text: str, offset: int) -> None:
        """The suggestion on the screen is inserted."""

    async def stop(self) -> None:
        """Ends."""


def main() -> None:
    """Measures each client and prints a table."""
    arguments = _parser().parse_args()
    rows: list[Row] = []
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        scripts = _scripts(arguments, Path(folder) / "corpus")
        for name in arguments.clients:
            # Fresh replicas for each: nobody profits from what another one had cached.
            row = _measured(name, scripts, arguments, Path(folder))
            rows.append(row)
            print(row, flush=True)
    if arguments.json is not None:
        options = {k: v for k, v in vars(arguments).items() if k not in {"json", "clients"}}
        found = {"options": options, "rows": [asdict(row) for row in rows]}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


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
    await asyncio.sleep(1 + begins_after_s)
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    ends_s = due_s + arguments.seconds
    keys = deque(typed.keys)
    while keys and due_s < ends_s:
        key = keys.popleft()
        offset = screen.offset
        screen.type(key.text)
        client.key(key.text, offset)
        if key.pauses:
            await _pause(screen, due_s)
            if arguments.accept:
                _accept(screen, client, keys)
        due_s += key.rest_s
        await asyncio.sleep(max(due_s - loop.time(), 0))
    await client.stop()
    return screen.seen


async def _pause(screen: Screen, due_s: float) -> None:
    """Looks at the screen after each of the times."""
    screen.seen.pauses += 1
    for look in LOOKS_S:
        await asyncio.sleep(due_s + look - asyncio.get_running_loop().time())
        screen.look(look)


def _accept(screen: Screen, client: Client, keys: deque[Key]) -> None:
    """Accepts a right suggestion in place of the keys that it saves."""
    offset = screen.offset
    accepted = screen.accept()
    if accepted:
        client.accept(accepted, offset)
    left = len(accepted)
    while left > 0:
        left -= len(keys.popleft().text)


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


def _scripts(arguments: argparse.Namespace, corpus: Path) -> list[Script]:
    """Each developer's, of files of their own; the corpus holds these files."""
    corpus.mkdir()
    paths = sources()[arguments.seed :: 3][: arguments.developers]
    # Who accepts suggestions gets further in the same time.
    longest_s = arguments.seconds * (4 if arguments.accept else 1)
    made = [script(path, arguments.seed, longest_s) for path in paths]
    for each in made:
        (corpus / each.name).write_text(each.truth)
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=CLIENTS)
    parser.add_argument("--developers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0, help="that each of them types")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--error-rate", type=float, default=0.05, help="of the model's tokens")
    parser.add_argument(
        "--confidence",
        choices=("calibrated", "uniform", "none"),
        default="calibrated",
        help="whether the model's log probabilities tell where it errs; none: it tells none",
    )
    parser.add_argument("--min-confidence", type=float, help="of cato-lsp; else its default")
    parser.add_argument("--step-ms", type=float, default=20.0, help="of the emulated replicas")
    parser.add_argument(
        "--accept",
        action="store_true",
        help="accept what is right half a second into a pause, and go on behind it",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=output_file)
    return parser


if __name__ == "__main__":
    main()
