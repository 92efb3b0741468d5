"""Servers that are no replicas: every answer is the same, over HTTP, TLS or neither."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.contract.gateway.certificate import self_signed

LISTING = '{"object": "list", "data": [{"id": "m", "object": "model"}]}'


@asynccontextmanager
async def answering(
    status: int = 200,
    text: str = LISTING,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[int]:
    """The port of a server on loopback."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, content_type=content_type, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def saying(data: bytes | None) -> AsyncGenerator[int]:
    """The port of a server that sends these bytes to every request and closes the connection;
    None: it sends nothing until the client closes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if data is None:
            await reader.read()
        else:
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def server_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server for localhost needs, and the certificate that its clients must trust."""
    certificate, key = self_signed(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context, certificate
