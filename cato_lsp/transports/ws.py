"""WebSocket: any number of editors, each with a server of its own."""

from __future__ import annotations

import asyncio
import logging
import sys

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed

from cato_lsp.logs import report_loop_error
from cato_lsp.protocol.clients import bearer
from cato_lsp.server import CatoServer
from cato_lsp.transports.byte_stream import LARGEST_MESSAGE

log = logging.getLogger(__name__)


def serve(host: str, port: int, log_path: str | None, token: str | None) -> int:
    """Serve until interrupted; return the exit status."""
    return asyncio.run(_serve(host, port, log_path, token))


async def _serve(host: str, port: int, log_path: str | None, token: str | None) -> int:
    asyncio.get_running_loop().set_exception_handler(report_loop_error)

    async def connected(socket: ServerConnection) -> None:
        header = socket.request.headers.get("authorization") if socket.request else None
        known = token is not None and bearer(token, header)
        await _converse(socket, CatoServer(log_path, None if known else token))

    # A page in a browser always sends its Origin: none of them may talk to an editor's server.
    async with listen(
        connected, host, port, origins=[None], max_size=LARGEST_MESSAGE, compression=None
    ) as listener:
        bound_host, bound_port = next(iter(listener.sockets)).getsockname()[:2]
        sys.stderr.write(f"cato-lsp listens on ws://{bound_host}:{bound_port}\n")
        await listener.serve_forever()
    return 0


async def _converse(socket: ServerConnection, server: CatoServer) -> None:
    outgoing: asyncio.Queue[bytes] = asyncio.Queue()
    server.protocol.set_writer(_Outbox(outgoing), include_headers=False)
    sending = asyncio.create_task(_send(socket, outgoing))
    watching = asyncio.create_task(_close_without(server, socket))
    try:
        async for body in socket:
            server.receive(body)
            if server.exit_status is not None:
                break
    except ConnectionClosed:
        log.info("the client hung up")
    finally:
        await server.session.close()
        sending.cancel()
        watching.cancel()
        await socket.close()


async def _close_without(server: CatoServer, socket: ServerConnection) -> None:
    """Close once the client's process has ended."""
    await server.client_gone.wait()
    await socket.close()


async def _send(socket: ServerConnection, outgoing: asyncio.Queue[bytes]) -> None:
    while True:
        # Text frames, in order: what JSON-RPC over WebSocket expects.
        await socket.send((await outgoing.get()).decode())


class _Outbox:
    def __init__(self, outgoing: asyncio.Queue[bytes]) -> None:
        self._outgoing = outgoing

    def write(self, data: bytes) -> None:
        self._outgoing.put_nowait(data)

    def close(self) -> None:
        """Do nothing: the task that reads from the connection closes it."""
