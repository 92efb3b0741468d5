"""`cato serve` as a process, in front of a fake vLLM that is one, too."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
POLL_S = 0.1


@dataclass(slots=True)
class Backend:
    """A backend that can be killed and started again at the same address."""

    url: str
    command: list[str]
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
    async with AsyncExitStack() as stack:
        replica = await stack.enter_async_context(_fake_vllm(reply))
        port = _free_port()
        command = [
            *(sys.executable, "-m", "cato_backend", "serve"),
            *("--host", "127.0.0.1", "--port", str(port), "--replica", replica, *options),
        ]
        backend = Backend(f"http://127.0.0.1:{port}", ["env", f"CATO_STATE_DIR={state}", *command])
        stack.push_async_callback(backend.stop)
        await backend.start()
        yield backend


@asynccontextmanager
async def _fake_vllm(reply: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.vllm", "--ttft-ms", "20", "--itl-ms", "2"),
        *("--reply", reply),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            url = (await process.stdout.readline()).decode().strip()
        yield url
    finally:
        process.terminate()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
