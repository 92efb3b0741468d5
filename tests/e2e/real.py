"""A real backend: `cato serve` as a person starts it, with vLLM replicas on the embedded model."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.commands import serve_command

GREETING = re.compile(rb"CATO serves at (\S+)")
STOP_TIMEOUT_S = 20


@dataclass(frozen=True)
class RealBackend:
    """A started `cato serve`."""

    url: str
    process: subprocess.Popen[bytes]
    state: Path

    @property
    def pid(self) -> int:
        """Of `cato serve` itself."""
        return self.process.pid

    def descendants(self) -> list[int]:
        """Every process that it started, however far below."""
        children: dict[int, list[int]] = {}
        for pid, parent in _processes():
            children.setdefault(parent, []).append(pid)
        found, frontier = list[int](), [self.pid]
        while frontier:
            below = children.get(frontier.pop(), [])
            found += below
            frontier += below
        return found

    def engine_pid(self) -> int:
        """The process of the replica's API server."""
        (pid,) = [pid for pid in self.descendants() if _arguments(pid)[1:3] == _API_SERVER]
        return pid

    def engine_http(self) -> httpx2.Client:
        """Asks the replica at its socket, behind the gateway's back, as only this user can."""
        arguments = _arguments(self.engine_pid())
        socket = arguments[arguments.index("--uds") + 1]
        return httpx2.Client(transport=httpx2.HTTPTransport(uds=socket), timeout=60)

    def metrics(self) -> dict[str, float]:
        """The gateway's own counters: name and labels to value."""
        with httpx2.Client() as http:
            return _metrics(http, self.url)

    def engine_metrics(self) -> dict[str, float]:
        """The engine's own counters, summed over their labels."""
        totals: dict[str, float] = {}
        with self.engine_http() as http:
            found = _metrics(http, ENGINE)
        for name, value in found.items():
            bare = name.partition("{")[0]
            totals[bare] = totals.get(bare, 0.0) + value
        return totals


ENGINE = "http://engine"
"""The address of a replica that is asked at its socket."""
_API_SERVER = ["-m", "vllm.entrypoints.openai.api_server"]


@contextmanager
def serve(state: Path, config: str = "") -> Iterator[RealBackend]:
    """Yields once the replica takes requests; `config` is the text of cato.toml."""
    file = state / "cato.toml"
    file.write_text(config)
    command = serve_command("--port", "0", "--config", str(file))
    if "[[models]]" not in config:  # `auto` would fetch a larger one.
        command += ["--model", "embedded"]
    with (state / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "CATO_STATE_DIR": str(state)},
        )
    try:
        yield RealBackend(_url(process, state), process, state)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends it in an orderly way, then for good."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    finally:
        process.kill()
        process.wait()


def _url(process: subprocess.Popen[bytes], state: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := GREETING.search(line):
            return found[1].decode()
    raise AssertionError(f"cato serve ended:\n{(state / 'serve.log').read_text()}")


def _processes() -> Iterator[tuple[int, int]]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (parent := _parent(int(entry))) is not None:
            yield int(entry), parent


def _parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent, *_ = stat.rpartition(b")")[2].split()
    return None if state == b"Z" else int(parent)


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _metrics(http: httpx2.Client, url: str) -> dict[str, float]:
    lines = http.get(f"{url}/metrics").raise_for_status().text.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    return {name: float(value) for name, value in pairs}
