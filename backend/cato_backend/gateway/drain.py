"""Drain of the server: no new requests, time for those under way, then an error for the rest."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from cato_backend.clock import Clock
from cato_backend.errors import RequestError, ShuttingDown
from cato_backend.gateway.connections import Connections
from cato_backend.logs import NewsWarning

_LONGEST_RETRY_S = 5.0
"""Behind a load balancer another server takes the request at once."""
_CUT_S = 1.0
"""For the last words to those that are cut."""
_CUT = "the server is shutting down and has ended this request"
_STILL_ALLOWED = ("/health", "/metrics", "/v1/requests/")
"""Paths that tell of what is under way, or end it."""


class EndsCalls(Protocol):
    """Where the calls of models are: this process's runtime, or another process."""

    def end(self, error: RequestError) -> None:
        """End every call with the error, and each that is still to come."""
        ...


class Drain:
    """A drain. A signal begins it, once."""

    def __init__(self, runtime: EndsCalls, connections: Connections, clock: Clock) -> None:
        self._runtime = runtime
        self._connections = connections
        self._clock = clock
        self._ends_at = math.inf
        self.is_cutting = False
        """Whether what is under way is being ended."""

    @property
    def is_draining(self) -> bool:
        """Whether no new requests are taken."""
        return self._ends_at < math.inf

    def check(self, path: str) -> None:
        """Raise ShuttingDown for a new request that comes too late."""
        if self.is_draining and not path.startswith(_STILL_ALLOWED):
            raise self.refusal("the server is shutting down and takes no new requests")

    def refusal(self, message: str = _CUT) -> ShuttingDown:
        """Return the error, with the time after which to try again."""
        left_s = self._ends_at - self._clock()
        return ShuttingDown(message, retry_after_s=min(_LONGEST_RETRY_S, max(1.0, left_s)))

    def begin(self, within_s: float) -> None:
        """Take nothing new; what is under way has so long."""
        self._ends_at = self._clock() + within_s

    async def run(
        self, within_s: float, hurry: asyncio.Event, on_news: Callable[[str], None]
    ) -> None:
        """Return when nothing is under way any more; `hurry` ends the wait for it."""
        self.begin(within_s)
        await self._connections.begin_drain(within_s)
        if self._connections.busy:
            on_news(
                f"draining: {self._connections.busy} requests under way have {within_s:g} s;"
                " another signal cuts them at once"
            )
            await self._wait(within_s, hurry)
        if self._connections.busy:
            on_news(NewsWarning(f"cutting {self._connections.busy} requests"))
            await self._cut()

    async def _wait(self, within_s: float, hurry: asyncio.Event) -> None:
        waits = [
            asyncio.create_task(hurry.wait()),
            asyncio.create_task(self._connections.wait_quiet()),
        ]
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()

    async def _cut(self) -> None:
        """Call of a model end with the error; then what waits for anything else."""
        self.is_cutting = True
        self._runtime.end(self.refusal())
        for _ in range(2):
            with suppress(TimeoutError):
                async with asyncio.timeout(_CUT_S):
                    await self._connections.wait_quiet()
            self._connections.cut()
