"""People who type: what they type, how long, and what they accept of what they see."""

from __future__ import annotations

import argparse
import asyncio
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.typing.screen import LOOKS_S, Screen
from bench.typing.scripts import Key, Script, installed, script, sources


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


@dataclass(frozen=True, slots=True)
class Sitting:
    """When somebody begins, how long they type, and what they accept: `none`, `once`, `on`."""

    begins_after_s: float
    lasts_s: float
    accept: str


async def develop(typed: Script, client: Client, screen: Screen, sitting: Sitting) -> None:
    """Types what is to be typed through a client that is ready."""
    await asyncio.sleep(1 + sitting.begins_after_s)
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    ends_s = due_s + sitting.lasts_s
    keys = deque(typed.keys)
    while keys and due_s < ends_s:
        key = keys.popleft()
        offset = screen.offset
        screen.type(key.text)
        client.key(key.text, offset)
        if key.pauses:
            due_s += await _pause(screen, client, keys, due_s, sitting.accept)
        due_s += key.rest_s
        await asyncio.sleep(max(due_s - loop.time(), 0))
    await client.stop()


async def _pause(
    screen: Screen, client: Client, keys: deque[Key], due_s: float, accept: str
) -> float:
    """Looks at the screen, and accepts what is right; returns how much longer the pause was."""
    longer_s = 0.0
    while True:
        await _look(screen, due_s + longer_s)
        if accept == "none" or not _accept(screen, client, keys):
            return longer_s
        if accept == "once" or not keys:
            return longer_s
        longer_s += LOOKS_S[-1]


async def _look(screen: Screen, due_s: float) -> None:
    """Looks at the screen after each of the times."""
    screen.seen.pauses += 1
    for look in LOOKS_S:
        await asyncio.sleep(due_s + look - asyncio.get_running_loop().time())
        screen.look(look)


def _accept(screen: Screen, client: Client, keys: deque[Key]) -> bool:
    """Accepts a right suggestion in place of the keys that it saves; whether there was one."""
    offset = screen.offset
    accepted = screen.accept()
    if accepted:
        client.accept(accepted, offset)
    left = len(accepted)
    while left > 0 and keys:
        left -= len(keys.popleft().text)
    return bool(accepted)


def scripts_of(arguments: argparse.Namespace, corpus: Path) -> list[Script]:
    """Each developer's, of files of their own; the corpus holds these files."""
    corpus.mkdir()
    paths = sources(arguments.sources or installed(), held_out=not arguments.tuning)
    first = arguments.seed * arguments.developers
    paths = (paths * (1 + first // len(paths) + 1))[first : first + arguments.developers]
    # Who accepts suggestions gets further in the same time.
    longest_s = arguments.seconds * (4 if arguments.accept != "none" else 1)
    made = [script(path, arguments.seed, longest_s) for path in paths]
    for each in made:
        (corpus / each.name).write_text(each.truth)
    return made


def add_people(parser: argparse.ArgumentParser) -> None:
    """Adds the options of who types, and of the model."""
    add = parser.add_argument
    add("--developers", type=int, default=8)
    add("--seconds", type=float, default=60.0, help="that each of them types")
    add("--replicas", type=int, default=2)
    add("--step-ms", type=float, default=8.0, help="of the emulated replicas")
    add("--error-rate", type=float, default=0.05, help="of the model's tokens")
    add(
        "--confidence",
        choices=("calibrated", "uniform", "hidden", "none"),
        default="calibrated",
        help="whether the model's log probabilities tell where it errs; hidden: it knows, and "
        "tells none; none: it neither knows nor tells",
    )
    add(
        "--accept",
        choices=("none", "once", "on"),
        default="once",
        help="accept what is right half a second into a pause; on: and what is right half a second "
        "after that, and so on",
    )
    add(
        "--sources",
        type=Path,
        nargs="+",
        help="folders of packages (default: the standard library, what is installed, node_modules)",
    )
    add("--tuning", action="store_true", help="type other files than those that are held out")
