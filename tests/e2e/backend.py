"""`cato serve` in front of a fake vLLM, both real processes; it can be killed and come back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.commands import serve_command
from tests.e2e.waiting import PATIENCE_S, wait_for
from tests.fakes import fake_vllm_command

START_S = 30
STOP_S = 15
REQUEST_S = 10


@dataclass(frozen=True, slots=True)
class Replica:
    """The fake vLLM; `control` is where it is told what to do, and tells what it saw."""

    url: str
    control: str

    def change(self, **behaviour: Any) -> None:
        """It behaves so from the next request on: fields of `cato_lab.emulator.Behaviour`."""
        body = json.dumps(behaviour).encode()
        request = urllib.request.Request(f"{self.control}/behaviour", data=body)
        urllib.request.urlopen(request, timeout=REQUEST_S).close()

    @property
    def state(self) -> dict[str, Any]:
        """What it saw so far and does now: `cato_lab.emulator.EmulatorState`."""
        with urllib.request.urlopen(f"{self.control}/state", timeout=REQUEST_S) as answer:
            state: dict[str, Any] = json.load(answer)
        return state

    @property
    def running(self) -> int:
        """Requests that it works on."""
        return int(self.state["running"])

    @property
    def asked(self) -> int:
        """Requests that came so far, but for those that only warm or test it."""
        bodies = [request["body"] for request in self.state["requests"]]
        return sum(body.get("max_tokens", 16) > 1 for body in bodies)

    def wait_until(self, what: str, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Returns once it does. Raises AssertionError."""
        wait_for(what, lambda: holds(self.state), PATIENCE_S)


@dataclass(slots=True)
class Backend:
    """One address and one token, empty for none; the process behind them may change."""

    url: str
    token: str
    token_file: Path
    replica: Replica
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Returns once it is healthy."""
        self.process = subprocess.Popen(self.command, env=self.environment)
        wait_for("the backend", self._healthy, START_S)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it in an orderly way, if it still runs."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(STOP_S)
            self.process = None

    def _healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"ended: {self.command}"
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def serve(
    folder: Path, reply: str, *, token: str = "", itl_ms: int = 2, port: int = 0, more: str = ""
) -> Generator[Backend, None, None]:
    """A backend whose replica answers everything with `reply`, a token every `itl_ms`.

    `more`: further sections of its cato.toml.
    """
    folder.mkdir(exist_ok=True)
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(f"{token}\n")
    with fake_vllm(reply, itl_ms) as replica:
        port = port or free_port()
        config = folder / "cato.toml"
        # Its name is that of a base model, which editors would ask for no whole task.
        config.write_text(f'[[replicas]]\nurl = "{replica.url}"\ninstruct = true\n{more}')
        command = serve_command(
            *("--host", "127.0.0.1", "--port", str(port), "--config", str(config)),
            *(("--token-file", str(token_file)) if token else ()),
        )
        environment = {**os.environ, "CATO_STATE_DIR": str(folder / "backend-state")}
        url = f"http://127.0.0.1:{port}"
        backend = Backend(url, token, token_file, replica, command, environment)
        try:
            backend.start()
            yield backend
        finally:
            backend.stop()


@contextmanager
def fake_vllm(reply: str, itl_ms: int) -> Generator[Replica, None, None]:
    """A fake vLLM of its own."""
    command = fake_vllm_command(20, itl_ms, "--reply", reply)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            url, control = (process.stdout.readline().decode().strip() for _ in range(2))
            yield Replica(url, control)
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
