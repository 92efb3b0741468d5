"""How long `cato-lsp` takes to answer `initialize`, beside a bare pygls server.

    python -m bench.lsp_startup --runs 11

Both are started in turns, so that whatever else the machine does hits both. Prints medians and
spread in milliseconds, and the ratio (aim: at most 1.3).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version

from bench.machine import save
from cato_backend.commands.arguments import output_file

BARE = """
from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("bare", "0")
@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
def inline(params):
    return None
server.start_io()
"""
SERVERS = {"bare pygls": ["-c", BARE], "cato-lsp": ["-m", "cato_lsp", "--stdio"]}
PARAMS: dict[str, object] = {"processId": None, "rootUri": None, "capabilities": {}}


@dataclass(frozen=True, slots=True)
class Start:
    """One start: elapsed, and processor time, which a busy machine disturbs less."""

    wall_ms: float
    cpu_ms: float


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    runs = arguments.runs
    times: dict[str, list[Start]] = {name: [] for name in SERVERS}
    # The first round, which may have to compile, is not counted.
    for round_number in range(runs + 1):
        for name, options in SERVERS.items():
            start = measure([sys.executable, *options])
            if round_number:
                times[name].append(start)
    for kind in ("wall_ms", "cpu_ms"):
        report(kind, {name: [getattr(start, kind) for start in times[name]] for name in times})
    print(f"python {platform.python_version()}, pygls {version('pygls')}, {runs} runs each")
    if arguments.json:
        starts = {name: [asdict(start) for start in taken] for name, taken in times.items()}
        save(arguments.json, {"starts": starts}, ("cato-lsp", "pygls"))


def report(kind: str, times: dict[str, list[float]]) -> None:
    """Prints medians, spread and the ratio of one kind of time."""
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, taken in times.items():
        print(f"{kind:8} {name:12} {medians[name]:6.0f}  ({min(taken):.0f}..{max(taken):.0f})")
    print(f"{kind:8} ratio        {medians['cato-lsp'] / medians['bare pygls']:.2f}")


def measure(command: list[str]) -> Start:
    """Starts a server and ends it once the answer to `initialize` is there."""
    started_s = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(framed({"id": 1, "method": "initialize", "params": PARAMS}))
        server.stdin.flush()
        while not server.stdout.readline().startswith(b"Content-Length"):
            pass
        wall_ms = (time.perf_counter() - started_s) * 1000
        server.kill()
        _, server.returncode, used = os.wait4(server.pid, 0)
    return Start(wall_ms, (used.ru_utime + used.ru_stime) * 1000)


def framed(message: dict[str, object]) -> bytes:
    """One message as LSP frames it."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


if __name__ == "__main__":
    main()
