"""A replica that answers with the very bytes it is given: for what no well-kept server sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

SSE = "text/event-stream"


@dataclass(slots=True)
class Odd:
    """`body` is sent `repeats` times; the connection stays open afterwards where it `hangs`."""

    body: bytes = b""
    content_type: str = SSE
    hangs: bool = False
    gzipped: bool = False
    repeats: int = 1
    calls: int = 0
    sent: int = 0
    """How often the body was sent, or is just being sent."""
    url: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Whatever was asked."""
        self.calls += 1
        response = web.StreamResponse(headers={"content-type": self.content_type})
        if self.gzipped:
            response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        for _ in range(self.repeats):
            self.sent += 1
            await response.write(self.body)
        if self.hangs:
            await self.ended.wait()
        return response


async def _models(_: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": "odd", "object": "model"}]})


@asynccontextmanager
async def odd_replica() -> AsyncGenerator[Odd]:
    """Runs until the block ends. It is no vLLM: it knows neither /health nor /version."""
    odd = Odd()
    app = web.Application()
    app.router.add_get("/v1/models", _models)
    app.router.add_post("/v1/completions", odd.answer)
    app.router.add_post("/v1/chat/completions", odd.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    odd.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield odd
    finally:
        odd.ended.set()
        await runner.cleanup()
