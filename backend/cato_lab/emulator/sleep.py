"""vLLM's sleep mode: an engine that gives its memory back, and takes time to wake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from aiohttp import web

from cato_lab.emulator.engine import EmulatedEngine

_MILLISECONDS = 1000
_Work: TypeAlias = Callable[[], Awaitable[dict[str, object]]]


class SleepMode:
    """The routes of `vllm/entrypoints/serve/dev/sleep`, and the wait of requests for an engine.

    As vLLM does, `/sleep` with `mode=wait` waits for what runs, and a request that comes to an
    engine that sleeps is held until it has woken.
    """

    def __init__(self, engine: EmulatedEngine) -> None:
        self._engine = engine
        self._awake = asyncio.Event()
        self._awake.set()
        self._changing = asyncio.Lock()

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_post("/sleep", partial(self._answer, self._sleep))
        router.add_post("/wake_up", partial(self._answer, self._wake))
        router.add_get("/is_sleeping", partial(self._answer, self._is_sleeping))

    async def until_awake(self) -> None:
        """Wait until it takes requests."""
        await self._awake.wait()

    async def _answer(self, work: _Work, request: web.Request) -> web.Response:
        """Answer with what `work` returns; with 404 where the sleep mode is off."""
        if not self._engine.behaviour.sleep_mode:
            return web.Response(status=404)
        return web.json_response(await work())

    async def _sleep(self) -> dict[str, object]:
        async with self._changing:
            self._awake.clear()
            state = self._engine.state
            await state.wait_until(lambda now: not now.running and not now.waiting, None)
            await asyncio.sleep(self._engine.behaviour.sleep_ms / _MILLISECONDS)
            state.slept += 1
        return {"status": "sleeping", "level": 1}

    async def _wake(self) -> dict[str, object]:
        async with self._changing:
            await asyncio.sleep(self._engine.behaviour.wake_ms / _MILLISECONDS)
            self._awake.set()
        return {"status": "awake", "tags": None}

    async def _is_sleeping(self) -> dict[str, object]:
        return {"is_sleeping": not self._awake.is_set()}
