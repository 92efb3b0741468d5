"""An API server as far as EndpointSlices are listed and watched: it checks tokens, pages lists,
keeps a history of events, sends bookmarks, and forgets old versions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

PATH = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
SERVICE = "kubernetes.io/service-name"


def endpoint_slice(name: str, *addresses: str, port: int = 8000, **more: Any) -> dict[str, Any]:
    endpoints = [{"addresses": [each], "conditions": {"ready": True}} for each in addresses]
    return {
        "metadata": {"name": name, "labels": {SERVICE: "vllm"}},
        "ports": [{"name": "http", "port": port}],
        "endpoints": endpoints,
        **more,
    }


class ApiServer:
    """Slices of one namespace; every change gets the next version."""

    def __init__(self) -> None:
        self.token = "first-token"
        self.url = ""
        self.lists = 0
        self.watches = 0
        self.watched = asyncio.Event()
        """Set once something watches."""
        self.page_size = 500
        self._version = 100
        self._oldest = 100
        self._slices: dict[str, dict[str, Any]] = {}
        self._history: list[tuple[int, dict[str, Any]]] = []
        self._changed = asyncio.Event()
        self._cut = asyncio.Event()

    def set(self, value: dict[str, Any]) -> None:
        name = value["metadata"]["name"]
        kind = "MODIFIED" if name in self._slices else "ADDED"
        self._slices[name] = value
        self._tell(kind, value)

    def delete(self, name: str) -> None:
        self._tell("DELETED", self._slices.pop(name))

    def bookmark(self) -> None:
        self._tell("BOOKMARK", {"metadata": {}})

    def forget(self) -> None:
        """Versions up to now are no longer known."""
        self._version += 1
        self._oldest = self._version

    def fail_watches(self) -> None:
        """Sends every watch an error event with the code 410."""
        self._tell("ERROR", {"kind": "Status", "code": 410, "metadata": {}})
        self.forget()

    def cut(self) -> None:
        """Ends every watch, as after timeoutSeconds."""
        self._cut.set()
        self._cut = asyncio.Event()
        self._wake()

    def _tell(self, kind: str, value: dict[str, Any]) -> None:
        self._version += 1
        value["metadata"]["resourceVersion"] = str(self._version)
        self._history.append(
            (self._version, {"type": kind, "object": json.loads(json.dumps(value))})
        )
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        if request.match_info["namespace"] != "models":
            return web.json_response({"kind": "Status", "code": 403}, status=403)
        assert request.query["labelSelector"] == f"{SERVICE}=vllm"
        return await (self._watch(request) if "watch" in request.query else self._list(request))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.lists += 1
        begin = int(request.query.get("continue", "0"))
        end = begin + min(self.page_size, int(request.query["limit"]))
        values = list(self._slices.values())
        metadata = {"resourceVersion": str(self._version)}
        if end < len(values):
            metadata["continue"] = str(end)
        return web.json_response({"metadata": metadata, "items": values[begin:end]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        assert request.query["allowWatchBookmarks"] == "true"
        if seen < self._oldest:
            return web.json_response({"kind": "Status", "code": 410}, status=410)
        response = web.StreamResponse()
        await response.prepare(request)
        self.watches += 1
        self.watched.set()
        cut = self._cut
        while not cut.is_set():
            changed = self._changed
            for version, event in [each for each in self._history if each[0] > seen]:
                seen = version
                await response.write(json.dumps(event).encode() + b"\n")
            if changed is self._changed:
                await changed.wait()
        return response


@asynccontextmanager
async def api_server() -> AsyncGenerator[ApiServer]:
    server = ApiServer()
    app = web.Application()
    app.router.add_get(PATH, server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.cut()
        await runner.cleanup()
