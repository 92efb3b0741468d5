"""`cato serve` in front of a fake vLLM, both real processes; it can be killed and come back."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.neovim.editor import wait_for

TOKEN = "a-token-for-the-neovim-tests"
STOP_S = 15


@dataclass(slots=True)
class Backend:
    """One address and one token; the process behind them may change."""

    url: str
    token: str
    token_file: Path
    replica: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Returns once it is healthy."""
        self.process = subprocess.Popen(self.command, env=self.environment)
        wait_for("the backend", self._healthy)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends it, by SIGKILL as a crash would."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(STOP_S)
            self.process = None

    def running(self) -> int:
        """Requests that the replica works on, by its own gauge."""
        with urllib.request.urlopen(f"{self.replica}/metrics", timeout=5) as answer:
            page = answer.read().decode()
        found = re.search(r"^vllm:num_requests_running\{.*\} (\S+)$", page, re.MULTILINE)
        assert found is not None, page
        return int(float(found.group(1)))

    def _healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"ended: {self.command}"
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def serve(folder: Path, reply: str, itl_ms: int = 5) -> Generator[Backend, None, None]:
    """A backend whose replica answers everything with `reply`, a token every `itl_ms`."""
    token_file = folder / "token"
    token_file.write_text(f"{TOKEN}\n")
    token_file.chmod(0o600)
    with fake_vllm(reply, itl_ms) as replica:
        port = free_port()
        command = [
            *(sys.executable, "-m", "cato_backend", "serve", "--host", "127.0.0.1"),
            *("--port", str(port), "--token-file", str(token_file), "--replica", replica),
        ]
        environment = {**os.environ, "CATO_STATE_DIR": str(folder / "backend-state")}
        url = f"http://127.0.0.1:{port}"
        backend = Backend(url, TOKEN, token_file, replica, command, environment)
        try:
            backend.start()
            yield backend
        finally:
            backend.end()


@contextmanager
def fake_vllm(reply: str, itl_ms: int = 5) -> Generator[str, None, None]:
    """The address of a fake vLLM of its own."""
    command = [
        *(sys.executable, "-m", "tests.fakes.vllm", "--ttft-ms", "20"),
        *("--itl-ms", str(itl_ms), "--reply", reply),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().decode().strip()
        finally:
            process.terminate()


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
