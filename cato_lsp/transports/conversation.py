"""One connection over a stream of bytes, from its first message to its end."""

from __future__ import annotations

import asyncio
import logging

from cato_lsp.server import CatoServer
from cato_lsp.transports.framing import read_message

log = logging.getLogger(__name__)


async def converse(server: CatoServer, reader: asyncio.StreamReader) -> int:
    """Serves until the client says `exit`, hangs up, or its process has ended; returns the exit
    status LSP asks for."""
    reading = asyncio.create_task(_read(server, reader))
    watching = asyncio.create_task(server.client_gone.wait())
    try:
        await asyncio.wait([reading, watching], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (reading, watching):
            task.cancel()
        await server.session.close()
    return 1 if server.exit_status is None else server.exit_status


async def _read(server: CatoServer, reader: asyncio.StreamReader) -> None:
    try:
        while server.exit_status is None:
            body = await read_message(reader)
            if body is None:
                break
            server.receive(body)
    except ConnectionError as error:
        log.error("the connection is lost: %s", error)
