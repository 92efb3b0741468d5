"""Clients that ask without a pause, and count what they were not answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp

BODY = {"model": "cato", "prompt": "def area(width, height):\n", "max_tokens": 40, "stream": True}
PATIENT = {"x-slo-ttft-ms": "60000"}
"""A request whose budget is over is refused, as it should be: nothing is lost then."""


class Load:
    """Counts the outcomes of all requests so far."""

    def __init__(self, url: str) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._url = url
        self._wakes = asyncio.Event()

    async def wait_answered(self, more: int) -> None:
        """Returns once so many more requests were answered."""
        goal = self.answered + more
        async with asyncio.timeout(60):
            while self.answered < goal:
                self._wakes.clear()
                await self._wakes.wait()

    async def ask(self, http: aiohttp.ClientSession) -> None:
        url = f"{self._url}/v1/completions"
        try:
            async with http.post(url, json=BODY, headers=PATIENT) as answer:
                said = (await answer.read()).decode()
            if answer.status != 200 or "[DONE]" not in said or '"error"' in said:
                self.failures.append(f"{answer.status}: {said[-300:]}")
        except aiohttp.ClientError as error:
            self.failures.append(repr(error))
        self.answered += 1
        self._wakes.set()


@asynccontextmanager
async def loaded(url: str, clients: int) -> AsyncGenerator[Load]:
    """So many clients at once; at the end each of them finishes its request, and none may fail."""
    load, ends = Load(url), asyncio.Event()

    async def client(http: aiohttp.ClientSession) -> None:
        while not ends.is_set():
            await load.ask(http)

    async with aiohttp.ClientSession() as http:
        clients_running = [asyncio.create_task(client(http)) for _ in range(clients)]
        try:
            yield load
        finally:
            ends.set()
            await asyncio.gather(*clients_running)
    assert load.failures == []
