"""Menus, as editors without ghost text ask for them: typing along a suggestion asks nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cato_lab.emulator import Emulator
from tests.contract.lsp.raw_client import RawEditor, raw_client

SAMPLE = "def add(a, b):\n    return "
LINE, COLUMN = 1, 11
SAID = 'first.scale("all", [1, 2])'
CLOSED_BY_EDITOR = {"(": ")", "[": "]", '"': '"'}


@dataclass(frozen=True, slots=True)
class Habits:
    """How an editor asks for its menu while somebody types."""

    name: str
    capabilities: dict[str, Any]
    asks_per_key: int = 1
    """Some ask for the candidates and for what goes before them."""
    cancels: bool = True
    """Whether a key takes back the request of the one before."""
    again: int = 1
    """The trigger kind of a further request for a list that is not complete."""
    triggers: str = ""
    """Characters that are told as triggers, whatever the server declared."""
    pairs: bool = False
    """Whether it closes brackets and quotes by itself, and passes over them."""


_ITEM = {"snippetSupport": True, "resolveSupport": {"properties": ["documentation"]}}
HELIX = Habits(
    "Helix",
    {"completionItem": {**_ITEM, "insertReplaceSupport": True}, "contextSupport": True},
    again=3,
    triggers=".(",
    pairs=True,
)
EGLOT = Habits("Emacs", {"completionItem": _ITEM, "contextSupport": True})
COMPANY = Habits("Emacs", {"completionItem": _ITEM}, asks_per_key=2, cancels=False)
PLAIN = Habits("kakoune", {}, asks_per_key=2)


@asynccontextmanager
async def connected(address: tuple[str, int], url: str, habits: Habits) -> AsyncIterator[RawEditor]:
    async with raw_client(address) as client:
        await client.ask(
            "initialize",
            {
                "processId": None,
                "clientInfo": {"name": habits.name},
                "capabilities": {"textDocument": {"completion": habits.capabilities}},
                "initializationOptions": {"backend": {"url": url}},
            },
        )
        client.send(method="initialized", params={})
        await client.state("ready")
        client.open(SAMPLE)
        yield client


class Menu:
    """The menu of one editor at the end of a document that has one more line than `SAMPLE`."""

    def __init__(self, client: RawEditor, habits: Habits) -> None:
        self._client, self._habits = client, habits
        self._asked = 0
        self._incomplete = False
        self._version = 1
        self.typed = ""
        self.closed = ""

    async def asked(self) -> str | None:
        """What the entry inserts; it is asked for as often as this editor does."""
        for _ in range(self._habits.asks_per_key - 1):
            self.ask()
        number = self.ask()
        answer = await self._client.until(lambda message: message.get("id") == number)
        result = answer["result"]
        self._incomplete = bool(result) and result["isIncomplete"]
        if not result:
            return None
        (item,) = result["items"]
        here = {"line": LINE, "character": COLUMN + len(self.typed)}
        assert item["textEdit"]["range"] == {"start": here, "end": here}
        assert item["filterText"].startswith(re.findall(r"\w*\Z", self.typed)[0])
        text: str = item["textEdit"]["newText"]
        return text

    def ask(self) -> str:
        """Asks, takes the request before back if the editor does, and returns the id."""
        if self._asked and self._habits.cancels:
            self._client.send(method="$/cancelRequest", params={"id": f"menu-{self._asked}"})
        self._asked += 1
        last = self.typed[-1:]
        context: dict[str, Any] = {"triggerKind": 1}
        if last and last in self._habits.triggers:
            context = {"triggerKind": 2, "triggerCharacter": last}
        elif self._incomplete:
            context = {"triggerKind": self._habits.again}
        params = {
            "textDocument": {"uri": RawEditor.uri},
            "position": {"line": LINE, "character": COLUMN + len(self.typed)},
            "context": context,
        }
        number = f"menu-{self._asked}"
        self._client.send(id=number, method="textDocument/completion", params=params)
        return number

    def type(self, character: str) -> None:
        """A key, with what the editor inserts by itself, or passes over."""
        self._version += 1
        column = COLUMN + len(self.typed)
        self.typed += character
        if self._habits.pairs and self.closed.startswith(character):
            self.closed = self.closed[1:]
            return
        added = CLOSED_BY_EDITOR.get(character, "") if self._habits.pairs else ""
        self._client.type(character + added, LINE, column, self._version)
        self.closed = added + self.closed


HABITS = pytest.mark.parametrize(
    "habits", [HELIX, EGLOT, COMPANY, PLAIN], ids=["helix", "eglot", "company", "plain"]
)


@HABITS
@pytest.mark.parametrize("itl_ms", [0, 30], ids=["answered", "streaming"])
async def test_typing_along_a_suggestion_asks_the_backend_once(
    shared_server: tuple[str, int], fake: Emulator, habits: Habits, itl_ms: int
) -> None:
    await fake.change(reply=f"{SAID}\n", itl_ms=itl_ms)
    async with connected(shared_server, fake.url, habits) as client:
        menu = Menu(client, habits)
        assert await menu.asked() == SAID
        for character in SAID[:-1]:
            menu.type(character)
            shown = await menu.asked()
            rest = SAID[len(menu.typed) :]
            if menu.closed and not rest.removesuffix(menu.closed):
                assert shown in (None, rest)
            else:
                assert shown, menu.typed
                assert rest.startswith(shown), menu.typed
        assert len(fake.requests) == 1


@HABITS
async def test_keys_that_overtake_the_answer_ask_the_backend_once(
    shared_server: tuple[str, int], fake: Emulator, habits: Habits
) -> None:
    await fake.change(reply=f"{SAID}\n", ttft_ms=300)
    async with connected(shared_server, fake.url, habits) as client:
        menu = Menu(client, habits)
        menu.ask()
        await fake.wait_until(lambda state: len(state.requests) == 1)
        for character in "first":
            menu.type(character)
            menu.ask()
        assert await menu.asked() == SAID.removeprefix("first")
        assert len(fake.requests) == 1


async def test_the_same_place_again_without_a_change_asks_nothing(
    shared_server: tuple[str, int], fake: Emulator
) -> None:
    await fake.change(reply=f"{SAID}\n")
    async with connected(shared_server, fake.url, COMPANY) as client:
        menu = Menu(client, COMPANY)
        assert [await menu.asked() for _ in range(4)] == [SAID] * 4
        assert len(fake.requests) == 1


async def test_where_there_is_nothing_to_say_the_menu_is_empty_and_asks_once(
    shared_server: tuple[str, int], fake: Emulator
) -> None:
    await fake.change(reply="")
    async with connected(shared_server, fake.url, HELIX) as client:
        menu = Menu(client, HELIX)
        assert [await menu.asked() for _ in range(3)] == [None] * 3
        assert len(fake.requests) == 1


async def test_resolving_an_unknown_entry_is_answered(
    shared_server: tuple[str, int], fake: Emulator
) -> None:
    async with connected(shared_server, fake.url, PLAIN) as client:
        await Menu(client, PLAIN).asked()
        answer = await client.ask("completionItem/resolve", {"label": "a + b"})
        assert "result" in answer or answer["error"]["code"] == -32601
        await asyncio.wait_for(client.status(), 5)
