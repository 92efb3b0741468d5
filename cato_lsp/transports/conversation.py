"""One connection over a stream of bytes, from its first message to its end."""

from __future__ import annotations

import asyncio
import logging

from cato_lsp.server import CatoServer
from cato_lsp.transports.framing import read_message

log = logging.getLogger(__name__)


async def converse(server: CatoServer, reader: asyncio.StreamReader) -> int:
    """Serves until the client says `exit` or hangs up; returns the exit status LSP asks for."""
    try:
        while server.exit_status is None:
            body = await read_message(reader)
            if body is None:
                break
            server.receive(body)
    except ConnectionError as error:
        log.error("the connection is lost: %s", error)
    finally:
        await server.session.close()
    return 1 if server.exit_status is None else server.exit_status
