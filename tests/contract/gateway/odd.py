"""A replica that answers with the very bytes it is given: for what no well-kept server sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.contract.gateway.site import Site

SSE = "text/event-stream"
STREAM = {"prompt": "x", "stream": True}


def event(text: str, finish_reason: str | None = None, index: int = 0) -> bytes:
    """A chunk of a completion."""
    choice = {"index": index, "text": text, "finish_reason": finish_reason}
    return f"data: {json.dumps({'id': 'cmpl-1', 'choices': [choice]})}\n\n".encode()


WELL = event("a") + event("b", "stop") + b"data: [DONE]\n\n"


@dataclass(slots=True)
class Odd:
    """`body` is sent `repeats` times, then what comes `later`, each piece after its pause.

    The connection stays open afterwards where it `hangs`, and is reset where it is `cut`.
    """

    body: bytes = b""
    content_type: str = SSE
    hangs: bool = False
    gzipped: bool = False
    repeats: int = 1
    later: tuple[tuple[float, bytes], ...] = ()
    """Seconds, and what is sent after them."""
    cut: bool = False
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
        for pause_s, piece in self.later:
            await asyncio.sleep(pause_s)
            await response.write(piece)
        if self.hangs:
            await self.ended.wait()
        if self.cut and request.transport is not None:
            request.transport.abort()
        return response

    def set_back(self) -> None:
        """Forgets what a test made of it."""
        self.body, self.content_type, self.hangs, self.gzipped = b"", SSE, False, False
        self.repeats, self.later, self.cut = 1, (), False
        self.calls = self.sent = 0


@dataclass(slots=True)
class Strange:
    """A gateway before one odd replica."""

    site: Site
    odd: Odd


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
