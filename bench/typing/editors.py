"""VS Code and Neovim in front of `cato-lsp`, as far as they decide when what is asked."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from bench.lsp_typing import framed
from bench.typing.screen import Screen
from bench.typing.scripts import Script


@dataclass(frozen=True, slots=True)
class Habits:
    """How long an editor waits after a key, and whether a key takes the request back."""

    name: str
    delay_s: float
    cancels: bool


EDITORS = {
    "vscode": Habits("Visual Studio Code", 0.05, cancels=True),
    "neovim": Habits("Neovim", 0.2, cancels=False),
}


class Editor:
    """One editor with one document, on a connection of its own."""

    def __init__(
        self, habits: Habits, script: Script, screen: Screen, url: str, settings: dict[str, Any]
    ) -> None:
        """`settings`: of `completion`, those that are not the defaults."""
        self._habits, self._screen, self._url = habits, screen, url
        self._settings = settings
        self._accepted: dict[str, Any] | None = None
        self._language = script.language
        self._uri = f"file:///typing/{id(self):x}/{script.name}"
        self._text = script.before + script.after
        self._version = 1
        self._asked = 0
        self._places: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ready = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Returns once the server has found the backend and the document is open."""
        reader, self._writer = await asyncio.open_connection(host, port)
        self._reading = asyncio.create_task(self._read(reader))
        capability = {"inlineCompletion": {"dynamicRegistration": False}}
        self._send("initialize", 0, {
            "processId": None,
            "rootUri": None,
            "clientInfo": {"name": self._habits.name},
            "capabilities": {"textDocument": capability},
            "initializationOptions": {
                "backend": {"url": self._url},
                "completion": self._settings,
            },
        })  # fmt: skip
        self._send("initialized", None, {})
        await asyncio.wait_for(self._ready.wait(), 30)
        item = {"uri": self._uri, "languageId": self._language, "version": 1, "text": self._text}
        self._send("textDocument/didOpen", None, {"textDocument": item})
        # As CATO's extension and plugin do when somebody puts the cursor somewhere.
        here = {"textDocument": {"uri": self._uri}, "position": self._position(self._screen.offset)}
        self._send("textDocument/didFocus", None, here)

    def key(self, text: str, offset: int) -> None:
        """`text` was typed at `offset`."""
        self._version += 1
        here = self._position(offset)
        change = {"range": {"start": here, "end": here}, "text": text}
        self._text = self._text[:offset] + text + self._text[offset:]
        document = {"uri": self._uri, "version": self._version}
        params = {"textDocument": document, "contentChanges": [change]}
        self._send("textDocument/didChange", None, params)
        if self._habits.cancels:
            for asked in self._places:
                self._send("$/cancelRequest", None, {"id": asked})
            self._places.clear()
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._habits.delay_s, self._ask, offset + len(text))

    def accept(self, text: str, offset: int) -> None:
        """The suggestion on the screen was accepted: it is inserted, and the server is told."""
        self.key(text, offset)
        if self._accepted is not None:
            self._send("workspace/executeCommand", -self._version, self._accepted)

    async def stop(self) -> None:
        """Hangs up."""
        if self._timer is not None:
            self._timer.cancel()
        assert self._writer is not None
        assert self._reading is not None
        self._writer.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def _ask(self, offset: int) -> None:
        self._asked += 1
        self._places[self._asked] = offset
        params = {
            "textDocument": {"uri": self._uri},
            "position": self._position(offset),
            "context": {"triggerKind": 2},
        }
        self._send("textDocument/inlineCompletion", self._asked, params)

    def _position(self, offset: int) -> dict[str, int]:
        line = self._text.count("\n", 0, offset)
        return {"line": line, "character": offset - (self._text.rfind("\n", 0, offset) + 1)}

    def _send(self, method: str, message_id: int | None, params: dict[str, Any]) -> None:
        assert self._writer is not None
        named: dict[str, object] = {"method": method, "params": params}
        self._writer.write(framed(named if message_id is None else {**named, "id": message_id}))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            length = 0
            while header := (await reader.readline()).strip():
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self._take(json.loads(await reader.readexactly(length)))

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("method") == "cato/didChangeStatus":
            if message["params"]["state"] == "ready":
                self._ready.set()
            return
        offset = self._places.pop(message.get("id", -1), None)
        # Null leaves Neovim's screen as it is; VS Code clears its own.
        result = message.get("result")
        if offset is not None and (result or self._habits.cancels):
            items = result["items"] if result else []
            self._accepted = items[0].get("command") if items else None
            self._screen.show(items[0]["insertText"] if items else "", offset)
