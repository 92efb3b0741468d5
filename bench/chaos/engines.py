"""Emulated replicas as processes that can be killed, frozen and told to misbehave."""

from __future__ import annotations

import asyncio
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from bench.processes import emulator_command, free_port

MODEL = "cato-embedded"
REPLY = " ".join(f"word{number}" for number in range(40))
TTFT_MS, ITL_MS = 20, 10
CALM: dict[str, Any] = {"faults": [], "accepting": True, "listings": [], "deadly": ""}
"""Fields of `cato_lab.emulator.Behaviour` that faults change, without a fault."""
_TOKENS = re.compile(r"^vllm:generation_tokens_total\{.*\} (\S+)$", re.MULTILINE)
_ENDS_WITHIN_S = 5.0


def request_body(*, stream: bool) -> dict[str, Any]:
    """A request for the whole reply."""
    return {"model": MODEL, "prompt": "Tell: ", "max_tokens": 200, "stream": stream}


class Engine:
    """One emulated replica at a fixed port. It outlives its process."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: Process | None = None
        self._control = ""

    async def start(self) -> None:
        """Starts the process, and returns once it listens."""
        command = emulator_command("--port", str(self.port), "--max-num-seqs", "256", "--control")
        speed = ("--ttft-ms", str(TTFT_MS), "--itl-ms", str(ITL_MS), "--reply", REPLY)
        process = await asyncio.create_subprocess_exec(
            *command, *speed, stdout=PIPE, stderr=DEVNULL
        )
        assert process.stdout is not None
        try:
            await process.stdout.readline()
            self._control = (await process.stdout.readline()).decode().strip()
        except BaseException:
            process.kill()
            raise
        self._process = process

    async def kill(self) -> None:
        """Ends the process at once, as the kernel does when memory runs out."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.communicate()

    async def revive(self) -> None:
        """Starts it where it was killed, continues it where it was frozen, and ends every fault."""
        if self._process is None:
            await self.start()
        self.signal(signal.SIGCONT)
        await self.behave(**CALM)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process, if it lives."""
        if self._process is not None:
            self._process.send_signal(number)

    async def behave(self, **values: Any) -> None:
        """Changes fields of its behaviour. Raises aiohttp.ClientError where it does not answer."""
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self._control}/behaviour", json=values) as response,
        ):
            response.raise_for_status()

    async def tokens(self) -> float:
        """Tokens that the process has generated; 0 where it does not answer."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(1)) as http,
                http.get(f"{self._control}/metrics") as response,
            ):
                found = _TOKENS.search(await response.text())
        except (aiohttp.ClientError, TimeoutError):
            return 0.0
        return float(found[1]) if found else 0.0

    async def end(self) -> None:
        """Ends the process."""
        if self._process is None:
            return
        self.signal(signal.SIGCONT)
        self._process.terminate()
        try:
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await self._process.communicate()
        except TimeoutError:
            await self.kill()


@asynccontextmanager
async def engines(count: int) -> AsyncGenerator[list[Engine]]:
    """So many, up."""
    async with AsyncExitStack() as stack:
        found = [Engine() for _ in range(count)]
        for engine in found:
            stack.push_async_callback(engine.end)
            await engine.start()
        yield found
