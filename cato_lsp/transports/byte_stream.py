"""Streams of bytes: LSP's framing, standard input and output, and TCP."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator
from typing import BinaryIO

from cato_lsp.logs import report_loop_error
from cato_lsp.server import CatoServer

log = logging.getLogger(__name__)

LARGEST_MESSAGE = 256 * 1024 * 1024
"""In bytes."""
CHUNK_BYTES = 64 * 1024


class BrokenFraming(ConnectionError):
    """The input is not LSP; the start of the next message cannot be found."""


async def read_message(reader: asyncio.StreamReader) -> bytes | None:
    """Return the body of the next message, or None at the end. Raises BrokenFraming."""
    length: int | None = None
    try:
        async for header in _header_lines(reader):
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length is None or not 0 <= length <= LARGEST_MESSAGE:
            raise BrokenFraming("a message without a usable Content-Length")
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    except (ValueError, asyncio.LimitOverrunError) as error:
        raise BrokenFraming("a header that is not LSP's") from error


async def _header_lines(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    """Yield the lines of the next header; blank lines in front of it are skipped."""
    begun = False
    while (line := (await reader.readuntil(b"\n")).strip()) or not begun:
        if line:
            begun = True
            yield line


async def converse(server: CatoServer, reader: asyncio.StreamReader) -> int:
    """Serve until the client says `exit`, hangs up, or its process has ended.

    Returns the exit status that LSP asks for: 0 if the client said `shutdown` before.
    """
    reading = asyncio.create_task(_read(server, reader))
    watching = asyncio.create_task(server.client_gone.wait())
    try:
        await asyncio.wait([reading, watching], return_when=asyncio.FIRST_COMPLETED)
    finally:
        was_shut_down = server.is_shut_down
        for task in (reading, watching):
            task.cancel()
        await server.session.close()
    return 0 if was_shut_down else 1


async def _read(server: CatoServer, reader: asyncio.StreamReader) -> None:
    try:
        while not server.left:
            body = await read_message(reader)
            if body is None:
                break
            server.receive(body)
    except ConnectionError as error:
        log.error("the connection is lost: %s", error)


def serve_stdio(log_path: str | None) -> int:
    """Serve one client; return the exit status."""
    output = sys.stdout.buffer
    # Whatever a library prints must not get between the messages.
    sys.stdout = sys.stderr
    return asyncio.run(_serve_stdio(output, log_path))


async def _serve_stdio(output: BinaryIO, log_path: str | None) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report_loop_error)
    reader = asyncio.StreamReader()
    # A daemon, and on the bare descriptor: a read that never returns must not keep the process.
    pump = threading.Thread(
        target=_pump, args=(sys.stdin.fileno(), loop, reader), name="stdin", daemon=True
    )
    server = CatoServer(log_path)
    server.protocol.set_writer(_Pipe(output, server))
    pump.start()
    return await converse(server, reader)


def _pump(descriptor: int, loop: asyncio.AbstractEventLoop, reader: asyncio.StreamReader) -> None:
    while chunk := os.read(descriptor, CHUNK_BYTES):
        loop.call_soon_threadsafe(reader.feed_data, chunk)
    loop.call_soon_threadsafe(reader.feed_eof)


class _Pipe:
    def __init__(self, output: BinaryIO, server: CatoServer) -> None:
        self._output = output
        self._server = server

    def write(self, data: bytes) -> None:
        try:
            self._output.write(data)
            self._output.flush()
        except OSError:
            # Nobody reads the answers any more.
            self._server.client_gone.set()

    def close(self) -> None:
        self._output.close()


def serve_tcp(host: str, port: int, log_path: str | None, token: str | None) -> int:
    """Serve until interrupted; return the exit status."""
    return asyncio.run(_serve_tcp(host, port, log_path, token))


async def _serve_tcp(host: str, port: int, log_path: str | None, token: str | None) -> int:
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
