"""Processes under measurement: starting, ending by id, and what `/proc` says of them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket

from cato_backend.replicas.warden import descendants

_START_TIMEOUT_S = 30.0
_SLOW_START_TIMEOUT_S = 90.0
_SERVE = (sys.executable, "-m", "cato_backend", "serve")
# No policy that holds requests back: what is measured is what passing them on costs.
_CONFIG = """\
[scheduling]
policy = "least-outstanding-tokens"
max_running_per_replica = 4096
max_waiting = 4096
max_waiting_per_session = 4096
"""


class Measured:
    """A child process, its CPU time and its memory."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._proc = Path(f"/proc/{process.pid}")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def cpu_s(self) -> float:
        """User and system time so far, in seconds, by the kernel's scheduler: of the live threads
        of the process and of its live descendants."""
        return sum(_cpu_s(pid) for pid in (self.pid, *descendants(self.pid)))

    def cpu_by_process_s(self) -> dict[int, float]:
        """The same by process id: its own first, then each descendant's."""
        return {pid: _cpu_s(pid) for pid in (self.pid, *descendants(self.pid))}

    def starved_s(self) -> float:
        """How long the main thread was ready to run but had no core, in seconds."""
        return int((self._proc / "schedstat").read_text().split()[1]) / 1e9

    def memory_mib(self, field: str = "VmRSS") -> float:
        """`VmRSS` (now) or `VmHWM` (the most so far), in MiB."""
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise ValueError(f"no {field} in {self._proc}/status")

    def first_line(self) -> str:
        """The next line of its standard output. Raises RuntimeError where it ended before."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"process {self.pid} ended with {self._process.wait()}")
        return line

    def matching(self, pattern: re.Pattern[str]) -> str:
        """The first group of the pattern in the next line of standard output that holds it.

        Raises RuntimeError where the process ended before."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := pattern.search(line):
                return found[1]
        raise RuntimeError(f"process {self.pid} ended with {self._process.wait()}")

    def wait_for(self, url: str, contains: bytes) -> None:
        """Returns when the URL answers with that content. Raises RuntimeError."""
        until = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=2) as response:
                    if contains in response.read():
                        return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        raise RuntimeError(f"{url} gave no answer; exit status {self._process.poll()}")

    def wait_until_it_completes(self, url: str, model: str) -> None:
        """Returns when a completion of one token has passed through. Raises RuntimeError."""
        body = json.dumps({"model": model, "prompt": "x", "max_tokens": 1}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{url}/v1/completions", body, headers)
        until = time.monotonic() + _SLOW_START_TIMEOUT_S
        problem: object = "nothing"
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    response.read()
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                problem = error
                time.sleep(0.2)
        raise RuntimeError(f"{url}: {problem}; exit status {self._process.poll()}")


def _cpu_s(pid: int) -> float:
    nanoseconds = 0
    # A process or a thread may end meanwhile.
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def set_real_time(pid: int, rank: int) -> None:
    """Before all that is not real-time, and all of a lower rank; 0: no longer. 0 as the process:
    this one. Raises PermissionError where the user may not."""
    policy = os.SCHED_RR if rank else os.SCHED_OTHER
    os.sched_setscheduler(pid, policy, os.sched_param(rank))


@contextmanager
def running(command: list[str], log: Path, real_time: int = 0) -> Iterator[Measured]:
    """The command as a process, its standard error in `log`; ended by id at the end.
    `real_time`: its rank, see `set_real_time`."""
    state = {"CATO_STATE_DIR": str(log.parent / "state")}  # Not the user's own discovery file.
    with log.open("a") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | state,
        )
    if real_time:
        set_real_time(process.pid, real_time)
    try:
        yield Measured(process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def emulator_command(*arguments: str) -> list[str]:
    """Returns the command of an emulated replica, at fixed times: all at once, unless given."""
    return [
        *(sys.executable, "-m", "cato_backend", "emulate", "--port", "0", "--ttft-ms", "0"),
        *("--model", "cato-embedded", "--max-model-len", "4096", *arguments),
    ]


def serve_command(port: int, *arguments: str) -> list[str]:
    """Returns the command of `cato serve` on that port, without a token for loopback."""
    return [*_SERVE, "--port", str(port), *_without_token(), *arguments]


def _without_token() -> tuple[str, ...]:
    """Releases before the token for loopback asked for none, and do not know the option."""
    shown = subprocess.run([*_SERVE, "--help"], capture_output=True, text=True, check=True)
    return ("--loopback-token", "never") if "--loopback-token" in shown.stdout else ()


@contextmanager
def fake_engine(
    itl_ms: float, log: Path, model: str = "cato-embedded"
) -> Iterator[tuple[str, Measured]]:
    """The emulated replica: its URL and its process. Each token's text is its time of sending."""
    command = emulator_command("--itl-ms", str(itl_ms), "--stamped", "--model", model)
    with running([*command, "--max-num-seqs", "4096"], log) as process:
        yield process.first_line(), process


@contextmanager
def gateway(replica: str, log: Path, *arguments: str) -> Iterator[tuple[str, Measured]]:
    """`cato serve` in front of that replica, with bounds that let all through: URL and process."""
    port = free_port()
    config = log.with_suffix(".toml")
    config.write_text(_CONFIG)
    command = serve_command(port, "--config", str(config), "--replica", replica, *arguments)
    with running(command, log) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            process.wait_for(f"{url}/v1/models", contains=b'"data":[{')
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{log.read_text()}") from error
        yield url, process


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
