"""An HTTP server that answers what a test wants, as proxies and other servers do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ssl import SSLContext
from typing import Any, Self

from aiohttp import web

LISTING = {"object": "list", "data": [{"id": "model", "object": "model"}]}
CHUNK = {"choices": [{"index": 0, "text": "a + b\n", "finish_reason": None}]}
END = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}


def stream(*chunks: object, done: bool = True) -> web.Response:
    """A stream of chunks, each as JSON."""
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    body = events + ("data: [DONE]\n\n" if done else "")
    return web.Response(text=body, content_type="text/event-stream")


def error(status: int, message: str = "no") -> web.Response:
    """An error as OpenAI's servers tell it."""
    return web.json_response({"error": {"message": message}}, status=status)


def page(status: int = 200) -> web.Response:
    """A page of a proxy."""
    return web.Response(text="<html>Sign in</html>", content_type="text/html", status=status)


class OddBackend:
    """Answers `replies[path]`, and what is usual elsewhere; remembers the completions' bodies."""

    def __init__(self, tls: SSLContext | None = None) -> None:
        self._tls = tls
        self.replies: dict[str, Any] = {}
        """Path to a function that makes the response."""
        self.bodies: list[Mapping[str, Any]] = []
        self.tokens: list[str | None] = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"https://localhost:{port}" if self._tls else f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("authorization"))
        if request.method == "POST":
            self.bodies.append(await request.json())
        reply = self.replies.get(request.path)
        if reply is not None:
            response: web.StreamResponse = reply()
            return response
        match request.path:
            case "/health":
                return web.json_response({"status": "ok"})
            case "/v1/models":
                return web.json_response(LISTING)
            case "/v1/completions" if request.method == "POST":
                return stream(CHUNK, END)
        return error(404)
