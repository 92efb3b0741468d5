"""Resident memory of `cato-lsp` before, during and after the replay of an hour of typing.

    python -m bench.lsp_memory

9,000 keystrokes (150 a minute), each a didChange and an inlineCompletion, in five documents of
2,000 lines in turns, as fast as the server takes them, in front of a fake vLLM. Aim: 120 MB.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO, Any

from bench.lsp_typing import LINE, asked, code, framed, initialize, opened, typed
from bench.processes import emulator_command

Message = dict[str, Any]

DOCUMENTS = 5
LINES = 2_000
PER_DOCUMENT = 60
"""Keystrokes before the person turns to the next document."""


def main() -> None:
    """Replays and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keystrokes", type=int, default=9_000)
    keystrokes = parser.parse_args().keystrokes
    fake = emulator_command("--ttft-ms", "5", "--reply", "a + b\n")
    server = [sys.executable, "-m", "cato_lsp", "--stdio"]
    with (
        subprocess.Popen(fake, stdout=PIPE, stderr=DEVNULL, text=True) as backend,
        subprocess.Popen(server, stdin=PIPE, stdout=PIPE) as lsp,
    ):
        assert backend.stdout is not None
        sizes, taken_s = replay(lsp, backend.stdout.readline().strip(), keystrokes)
        lsp.kill()
        backend.terminate()
    print(f"RSS with {DOCUMENTS} documents of {LINES} lines: {sizes[0]:.0f} MB")
    print("after each tenth:", *(f"{size:.0f}" for size in sizes[1:]), "MB")
    print(f"{keystrokes} keystrokes in {taken_s:.0f} s")
    print(f"python {platform.python_version()}, pygls {version('pygls')}")


def replay(lsp: subprocess.Popen[bytes], url: str, keystrokes: int) -> tuple[list[float], float]:
    """Megabytes before, and after each tenth of it; and how long it took."""
    assert lsp.stdin is not None
    assert lsp.stdout is not None
    answers = read_messages(lsp.stdout)
    text = code(LINES)
    send(lsp.stdin, *initialize(url), *(opened(text, uri(n)) for n in range(DOCUMENTS)))
    wait_for(answers, lambda message: message.get("params", {}).get("state") == "ready")
    sizes, started_s = [resident_mb(lsp.pid)], time.perf_counter()
    for number in range(keystrokes):
        document = uri(number // PER_DOCUMENT % DOCUMENTS)
        column = number % PER_DOCUMENT
        if column == 0:
            send(lsp.stdin, typed("\n", LINES // 2, 0, number * 2 + 1, document))
        change = typed(LINE[column], LINES // 2, column, number * 2 + 2, document)
        send(lsp.stdin, change, asked(number, LINES // 2, column + 1, document))
        is_tenth = (number + 1) % (keystrokes // 10) == 0
        if number % 3 == 0 or is_tenth:
            # Now and then the person pauses long enough to see the suggestion.
            wait_for_answer(answers, number)
        if is_tenth:
            sizes.append(resident_mb(lsp.pid))
            print(f"{number + 1} keystrokes: {sizes[-1]:.0f} MB", file=sys.stderr, flush=True)
    return sizes, time.perf_counter() - started_s


def uri(number: int) -> str:
    """One of the documents."""
    return f"file:///bench/module{number}.py"


def send(stdin: IO[bytes], *messages: dict[str, object]) -> None:
    """Writes messages in one packet."""
    stdin.write(b"".join(map(framed, messages)))
    stdin.flush()


def read_messages(stdout: IO[bytes]) -> Iterator[Message]:
    """Everything that the server says."""
    while header := stdout.readline():
        if header.startswith(b"Content-Length"):
            length = int(header.partition(b":")[2])
            while stdout.readline().strip():
                pass
            yield json.loads(stdout.read(length))


def wait_for(messages: Iterator[Message], holds: Callable[[Message], bool]) -> None:
    """Reads up to the message for which `holds`."""
    next(itertools.dropwhile(lambda message: not holds(message), messages))


def wait_for_answer(messages: Iterator[Message], request_id: object) -> Message:
    """Reads up to the answer to this request, and returns it."""
    return next(message for message in messages if message.get("id") == request_id)


def resident_mb(pid: int) -> float:
    """VmRSS."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()
