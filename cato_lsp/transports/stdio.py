"""Standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import BinaryIO

from cato_lsp.logs import report_loop_error
from cato_lsp.server import CatoServer
from cato_lsp.transports.conversation import converse

CHUNK = 64 * 1024


def serve(log_path: str | None) -> int:
    """Serves one client; returns the exit status."""
    output = sys.stdout.buffer
    # Whatever a library prints must not get between the messages.
    sys.stdout = sys.stderr
    return asyncio.run(_serve(output, log_path))


async def _serve(output: BinaryIO, log_path: str | None) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report_loop_error)
    reader = asyncio.StreamReader()
    # A daemon, and on the bare descriptor: a read that never returns must not keep the process.
    pump = threading.Thread(
        target=_pump, args=(sys.stdin.fileno(), loop, reader), name="stdin", daemon=True
    )
    server = CatoServer(log_path)
    server.protocol.set_writer(_Pipe(output))
    pump.start()
    return await converse(server, reader)


def _pump(descriptor: int, loop: asyncio.AbstractEventLoop, reader: asyncio.StreamReader) -> None:
    while chunk := os.read(descriptor, CHUNK):
        loop.call_soon_threadsafe(reader.feed_data, chunk)
    loop.call_soon_threadsafe(reader.feed_eof)


class _Pipe:
    def __init__(self, output: BinaryIO) -> None:
        self._output = output

    def write(self, data: bytes) -> None:
        self._output.write(data)
        self._output.flush()

    def close(self) -> None:
        self._output.close()
