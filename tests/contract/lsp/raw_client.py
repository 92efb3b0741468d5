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
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

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


@asynccontextmanager
async def raw_client(address: tuple[str, int]) -> AsyncIterator[RawClient]:
    """A connected client that has not said anything yet."""
    client = RawClient(*await asyncio.open_connection(*address))
    try:
        yield client
    finally:
        client.close()
