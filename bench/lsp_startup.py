"""How long `cato-lsp` takes to answer `initialize`, beside a bare pygls server.

    python -m bench.lsp_startup --runs 11

Both are started in turns, so that whatever else the machine does hits both. Prints medians and
spread in milliseconds, and the ratio (aim: at most 1.3).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version

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


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in SERVERS}
    # The first round, which may have to compile, is not counted.
    for round_number in range(runs + 1):
        for name, arguments in SERVERS.items():
            taken_ms = measure([sys.executable, *arguments])
            if round_number:
                times[name].append(taken_ms)
    for name, taken in times.items():
        low, high = min(taken), max(taken)
        print(f"{name:12} median {statistics.median(taken):6.0f} ms  ({low:.0f}..{high:.0f})")
    ratio = statistics.median(times["cato-lsp"]) / statistics.median(times["bare pygls"])
    print(f"ratio        {ratio:.2f}")
    print(f"python {platform.python_version()}, pygls {version('pygls')}, {runs} runs each")


def measure(command: list[str]) -> float:
    """Milliseconds until the answer to `initialize` is there."""
    started_s = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(framed({"id": 1, "method": "initialize", "params": PARAMS}))
        server.stdin.flush()
        while not server.stdout.readline().startswith(b"Content-Length"):
            pass
        taken_ms = (time.perf_counter() - started_s) * 1000
        server.kill()
    return taken_ms


def framed(message: dict[str, object]) -> bytes:
    """One message as LSP frames it."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


if __name__ == "__main__":
    main()
