"""Event-loop CPU time from didChange received to the HTTP request sent.

    python -m bench.lsp_latency --keystrokes 300

The server runs in this process; its backend, `cato serve` in front of a fake vLLM that keeps
silent for a while, in others.
One keystroke is a didChange and an inlineCompletion in one packet, debounce 0; the loop's thread is
charged for everything until it has nothing left to do. Aim: p99 at most 5 ms at 5,000 lines.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.lsp_typing import LINE, asked, code, framed, initialize, opened, typed
from bench.processes import emulator_command, gateway, running
from cato_lsp.server import CatoServer
from cato_lsp.transports.byte_stream import converse

SIZES = (1_000, 5_000, 20_000)
IDLE_S = 0.03
SILENT_MS = 2_000


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU milliseconds per keystroke."""

    p50: float
    p99: float
    worst: float


def main() -> None:
    """Measures each size and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keystrokes", type=int, default=300)
    keystrokes = parser.parse_args().keystrokes
    engine = emulator_command("--ttft-ms", str(SILENT_MS))
    with (
        tempfile.TemporaryDirectory() as folder,
        running(engine, Path(folder) / "engine.log") as process,
        gateway(process.first_line(), Path(folder) / "gateway.log") as (url, _),
    ):
        for lines in SIZES:
            found = asyncio.run(measure(url, code(lines), keystrokes))
            print(
                f"{lines:6} lines  p50 {found.p50:5.2f} ms  p99 {found.p99:5.2f} ms"
                f"  worst {found.worst:5.2f} ms"
            )
    print(f"python {platform.python_version()}, pygls {version('pygls')}, {keystrokes} keystrokes")


async def measure(url: str, text: str, keystrokes: int) -> Figures:
    """Types in the middle of `text`."""
    server, reader = CatoServer(), asyncio.StreamReader()
    writer = Silent()
    server.protocol.set_writer(writer)
    conversation = asyncio.create_task(converse(server, reader))
    for message in [*initialize(url), opened(text)]:
        reader.feed_data(framed(message))
    await writer.ready.wait()
    gc.freeze()  # As `cato-lsp` does once everything is imported.
    middle = text.count("\n") // 2
    reader.feed_data(framed(typed("\n", middle, 0, 1)))
    taken = [await _keystroke(reader, middle, number) for number in range(keystrokes)]
    reader.feed_eof()
    await conversation
    # The first few open connections and fill caches.
    taken = sorted(taken[5:])
    return Figures(statistics.median(taken), taken[int(len(taken) * 0.99)], taken[-1])


async def _keystroke(reader: asyncio.StreamReader, line: int, number: int) -> float:
    column = number % len(LINE)
    packet = framed(typed(LINE[column], line, column, number + 2))
    packet += framed(asked(number, line, column + 1))
    started_s = time.thread_time()
    reader.feed_data(packet)
    await asyncio.sleep(IDLE_S)
    return (time.thread_time() - started_s) * 1000


class Silent:
    """Takes what the server writes, and looks only for the status."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Drops it."""
        if b'"state": "ready"' in data:
            self.ready.set()

    def close(self) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    main()
