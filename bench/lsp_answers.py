"""How long a `cato-lsp` process takes to answer where the network need not: over stdio, wall clock.

    python -m bench.lsp_answers --keystrokes 500

**hit**: a key that continues a suggestion: `didChange` and `inlineCompletion` in one packet, up to
the answer, from the type-ahead cache. **hang**: `didChange` and `cato/status` while requests to a
replica that never answers are open, and each key asks it again. Aim: p99 at most 5 ms.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import DEVNULL, PIPE
from typing import Any

from bench.lsp_memory import read_messages, send, wait_for, wait_for_answer
from bench.lsp_typing import LINE, asked, code, initialize, opened, typed
from bench.processes import emulator_command

SIZES = (1_000, 5_000)
NEVER_MS = 3_600_000


class Server:
    """A language server in front of a fake vLLM."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._messages = read_messages(process.stdout)

    def open(self, url: str, text: str) -> None:
        """Returns once it has the document and a backend."""
        send(self._stdin, *initialize(url), opened(text))
        wait_for(self._messages, lambda message: message.get("params", {}).get("state") == "ready")

    def tell(self, *messages: dict[str, object]) -> None:
        """Sends what is not answered, or whose answer nobody waits for."""
        send(self._stdin, *messages)

    def answer_ms(self, message_id: object, *messages: dict[str, object]) -> tuple[float, Any]:
        """Sends these, and waits for the answer to one of them."""
        started_s = time.perf_counter()
        send(self._stdin, *messages)
        found = wait_for_answer(self._messages, message_id)
        return (time.perf_counter() - started_s) * 1000, found.get("result")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keystrokes", type=int, default=500)
    keystrokes = parser.parse_args().keystrokes
    for lines in SIZES:
        with served("--reply", LINE + "\n") as (server, url):
            server.open(url, code(lines))
            report(f"hit, {lines} lines", hits(server, lines // 2, keystrokes))
        with served("--ttft-ms", str(NEVER_MS)) as (server, url):
            server.open(url, code(lines))
            report(f"hang, {lines} lines", hangs(server, lines // 2, keystrokes))
    print(f"python {platform.python_version()}, {keystrokes} keystrokes each")


def hits(server: Server, line: int, keystrokes: int) -> list[float]:
    """Types what was suggested, line after line; each one's first answer is asked for."""
    taken: list[float] = []
    version, column = 1, len(LINE)
    while len(taken) < keystrokes:
        if column >= len(LINE) - 1:
            server.tell(typed("\n", line, 0, version + 1))
            server.answer_ms(f"first {version}", asked(f"first {version}", line, 0))
            version, column = version + 1, 0
        version += 1
        key, name = typed(LINE[column], line, column, version), f"hit {version}"
        column += 1
        took_ms, result = server.answer_ms(name, key, asked(name, line, column))
        if result and result["items"][0]["insertText"].strip() == LINE[column:].strip():
            taken.append(took_ms)
    return taken


def hangs(server: Server, line: int, keystrokes: int) -> list[float]:
    """Types and asks, and looks how long a key and a status take."""
    taken: list[float] = []
    for number in range(keystrokes):
        column = number % len(LINE)
        key, name = typed(LINE[column], line, column, number + 2), f"status {number}"
        status: dict[str, object] = {"id": name, "method": "cato/status", "params": {}}
        taken.append(server.answer_ms(name, key, status)[0])
        server.tell(asked(f"asked {number}", line, column + 1))
    return taken


def report(name: str, taken: list[float]) -> None:
    """Prints quantiles; the first few open connections and fill caches."""
    taken = sorted(taken[5:])
    p50, p99 = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
    print(f"{name:18} p50 {p50:5.2f} ms  p99 {p99:5.2f} ms  worst {taken[-1]:5.2f} ms", flush=True)


@contextmanager
def served(*fake: str) -> Iterator[tuple[Server, str]]:
    """A server, and the URL of a fake vLLM for it."""
    engine = emulator_command(*fake)
    command = [sys.executable, "-m", "cato_lsp", "--stdio"]
    with (
        subprocess.Popen(engine, stdout=PIPE, stderr=DEVNULL, text=True) as backend,
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE) as process,
    ):
        assert backend.stdout is not None
        yield Server(process), backend.stdout.readline().strip()
        process.kill()
        backend.terminate()


if __name__ == "__main__":
    main()
