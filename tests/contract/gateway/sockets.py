"""Clients over bare sockets, that send what no HTTP library would."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Raw:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.writer.write(data)

    async def head(self) -> str:
        """The status line and headers of the next response."""
        async with asyncio.timeout(PATIENCE_S):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def response(self) -> tuple[str, bytes]:
        """Head and body of the next response, which tells its length."""
        head = await self.head()
        length = int(head.lower().partition("content-length: ")[2].split()[0])
        async with asyncio.timeout(PATIENCE_S):
            return head, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """All that comes until the server closes; a reset is an end like another."""
        data = b""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while chunk := await self.reader.read(65536):
                    data += chunk
            except ConnectionError:
                pass
        return data

    async def trickle(self, data: bytes, pause_s: float) -> None:
        """Sends a byte at a time until all is sent or the server has closed."""
        for byte in data:
            if self.reader.at_eof() or self.writer.is_closing():
                return
            self.writer.write(bytes([byte]))
            await asyncio.sleep(pause_s)


@asynccontextmanager
async def raw(url: str, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Raw]:
    """A connection to the server at `url`."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=tls)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def head(method: str, path: str, **headers: str | int) -> bytes:
    """A request's head: `content_length=5` as a header."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
