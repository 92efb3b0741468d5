"""Servers that send the very bytes they are told to, and one request to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from cato_backend.http1.upstreams import Upstreams

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncGenerator[str]:
    """A server whose every connection is handled by `serve`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/completions"


async def request(reader: asyncio.StreamReader) -> bytes:
    """One whole request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def asked(
    upstreams: Upstreams, url: str, silence_s: float = 5.0, *, streams: bool = False
) -> tuple[int, bytes]:
    """Status and body of the reply to a request."""
    reply = await upstreams.post(url, b"{}", {"x-request-id": "a"}, silence_s, streams=streams)
    try:
        return reply.status, await reply.read_all()
    finally:
        reply.release()


def sends(*pieces: bytes) -> Serve:
    """Answers one request with these pieces and closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    return serve
