"""Runs in Ray's own environment: Ray Serve with one replica per emulated vLLM server.

    python ray_proxy.py PORT MAX_ONGOING URL...

Ray Serve LLM keeps an engine inside each replica and routes by power of two choices over the
replicas' queue lengths; here the engine is behind a URL, and the replica hands its stream through.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator

import aiohttp
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import StreamingResponse


class Urls:
    """Gives each replica a server of its own."""

    def __init__(self, urls: list[str]) -> None:
        self._free = list(urls)

    def take(self) -> str:
        return self._free.pop(0)


class Proxy:
    """One server behind one replica of Ray Serve."""

    def __init__(self, urls: ray.actor.ActorHandle) -> None:
        self._url: str = ray.get(urls.take.remote())
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, request: Request) -> StreamingResponse:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            timeout = aiohttp.ClientTimeout(total=None)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        body = await request.body()
        headers = {"content-type": "application/json"}
        upstream = await self._session.request(
            request.method, self._url + request.url.path, data=body, headers=headers
        )

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in upstream.content.iter_any():
                    yield piece
            finally:  # A client that has gone must not leave its request in the engine.
                upstream.close()

        return StreamingResponse(
            pieces(), upstream.status, media_type=upstream.headers.get("content-type")
        )


def main() -> None:
    port, max_ongoing, *urls = sys.argv[1:]
    ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(port)}, logging_config={"log_level": "ERROR"}
    )
    app = (
        serve.deployment(Proxy)
        .options(
            num_replicas=len(urls),
            max_ongoing_requests=int(max_ongoing),
            ray_actor_options={"num_cpus": 0},
        )
        .bind(ray.remote(num_cpus=0)(Urls).remote(urls))
    )
    serve.run(app, name="peers", route_prefix="/")
    print("ready", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
