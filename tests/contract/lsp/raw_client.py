"""A client that sends just what a test writes, over TCP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

ANSWER_S = 20.0


class RawClient:
    """Messages as objects; keeps what the server sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.received: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        """Sends one message."""
        self.send_body(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def send_body(self, body: bytes, before: bytes = b"") -> None:
        """Sends any bytes as one message, with `before` in front of its header."""
        self._writer.write(b"%bContent-Length: %d\r\n\r\n%b" % (before, len(body), body))

    async def ask(self, method: str, params: Any = None, **more: Any) -> dict[str, Any]:
        """The whole answer to a request."""
        message_id = f"raw-{len(self.received)}-{method}"
        named = {"params": params} if params is not None else {}
        self.send(id=message_id, method=method, **named, **more)
        return await self.until(lambda message: message.get("id") == message_id)

    async def until(self, wanted: Any) -> dict[str, Any]:
        """The next message that `wanted` holds for. Raises TimeoutError."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                message = await self._next()
                self.received.append(message)
                if wanted(message):
                    return message

    async def state(self, state: str) -> None:
        """Returns once the server tells of this state."""
        await self.until(lambda message: message.get("params", {}).get("state") == state)

    async def ended(self) -> None:
        """Returns once the server has closed the connection."""
        async with asyncio.timeout(ANSWER_S):
            while await self._reader.read(65536):
                pass

    async def _next(self) -> dict[str, Any]:
        length = 0
        while header := (await self._reader.readuntil(b"\n")).strip():
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        return message

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


class RawEditor(RawClient):
    """What a simple editor does with one document."""

    uri = "file:///project/sample.py"

    async def start(self, options: dict[str, Any], state: str) -> None:
        """Returns once the server tells of this state."""
        capabilities = {"textDocument": {"inlineCompletion": {}}}
        params = {"processId": None, "capabilities": capabilities, "initializationOptions": options}
        await self.ask("initialize", params)
        self.send(method="initialized", params={})
        await self.state(state)

    def open(self, text: str) -> None:
        """Opens the document at version 1."""
        item = {"uri": self.uri, "languageId": "python", "version": 1, "text": text}
        self.send(method="textDocument/didOpen", params={"textDocument": item})

    def type(self, text: str, line: int, character: int, version: int) -> None:
        """Inserts `text` at a place."""
        here = {"line": line, "character": character}
        change = {"range": {"start": here, "end": here}, "text": text}
        document = {"uri": self.uri, "version": version}
        params = {"textDocument": document, "contentChanges": [change]}
        self.send(method="textDocument/didChange", params=params)

    async def inline(self, line: int, character: int, *, automatic: bool = False) -> str | None:
        """The ghost text at a place."""
        answer = await self.ask(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self.uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": 2 if automatic else 1},
            },
        )
        result = answer["result"]
        text: str | None = result["items"][0]["insertText"] if result else None
        return text

    async def status(self) -> dict[str, Any]:
        """The status as it is now."""
        answer: dict[str, Any] = (await self.ask("cato/status", {}))["result"]
        return answer

    async def ready(self) -> None:
        """Returns once the server has a backend."""
        if (await self.status())["state"] != "ready":
            await self.state("ready")


@asynccontextmanager
async def raw_client(address: tuple[str, int]) -> AsyncIterator[RawEditor]:
    """A connected client that has not said anything yet."""
    client = RawEditor(*await asyncio.open_connection(*address))
    try:
        yield client
    finally:
        client.close()
