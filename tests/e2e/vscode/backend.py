"""`cato serve` as a process, in front of a fake vLLM whose speed and counters a test can reach."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.fakes.vllm import FakeVllm, Script

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
POLL_S = 0.1


@dataclass(slots=True)
class Backend:
    """A backend that can be killed and started again at the same address."""

    url: str
    command: list[str]
    replica: FakeVllm
    process: asyncio.subprocess.Process | None = field(default=None)

    async def start(self) -> None:
        """Returns once it serves. Raises TimeoutError."""
        self.process = await asyncio.create_subprocess_exec(*self.command)
        async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession() as session:
            while not await self._is_healthy(session):
                assert self.process.returncode is None, f"ended: {self.command}"
                await asyncio.sleep(POLL_S)

    async def kill(self) -> None:
        """Ends it as a crash would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ends it in an orderly way, if it still runs."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(number)
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await self.process.wait()

    async def _is_healthy(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/health") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False


@asynccontextmanager
async def serve(state: Path, reply: str, *options: str) -> AsyncIterator[Backend]:
    """A backend whose only replica answers everything with `reply`."""
    async with FakeVllm(Script(reply=reply, ttft_ms=20, itl_ms=2)) as replica:
        port = _free_port()
        command = [
            *("env", f"CATO_STATE_DIR={state}", sys.executable, "-m", "cato_backend", "serve"),
            *("--host", "127.0.0.1", "--port", str(port), "--replica", replica.url, *options),
        ]
        backend = Backend(f"http://127.0.0.1:{port}", command, replica)
        try:
            await backend.start()
            yield backend
        finally:
            await backend.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
