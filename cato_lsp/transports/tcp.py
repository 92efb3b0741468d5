"""TCP: any number of editors, each with a server of its own."""

from __future__ import annotations

import asyncio
import logging
import sys

from cato_lsp.logs import report_loop_error
from cato_lsp.server import CatoServer
from cato_lsp.transports.conversation import converse

log = logging.getLogger(__name__)


def serve(host: str, port: int, log_path: str | None, token: str | None) -> int:
    """Serves until it is interrupted; returns the exit status."""
    return asyncio.run(_serve(host, port, log_path, token))


async def _serve(host: str, port: int, log_path: str | None, token: str | None) -> int:
    asyncio.get_running_loop().set_exception_handler(report_loop_error)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = CatoServer(log_path, token)
        server.protocol.set_writer(_Socket(writer))
        await converse(server, reader)
        writer.close()

    listener = await asyncio.start_server(connected, host, port)
    bound_host, bound_port = listener.sockets[0].getsockname()[:2]
    sys.stderr.write(f"cato-lsp listens on tcp://{bound_host}:{bound_port}\n")
    async with listener:
        await listener.serve_forever()
    return 0


class _Socket:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def write(self, data: bytes) -> None:
        # The client may have hung up before its last answer was ready.
        if not self._writer.is_closing():
            self._writer.write(data)

    def close(self) -> None:
        self._writer.close()
