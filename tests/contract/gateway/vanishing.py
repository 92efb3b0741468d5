"""A replica whose network goes down, seen from the gateway's client: `unshare -Urn python -m ...`.

Run in a network namespace of its own, whose only interface it takes down and up again. The output
is one JSON object: what became of each request, and after how many seconds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable

import uvloop
from aiohttp import web

from cato_backend.http1.servers import Liveness, Timeouts
from cato_backend.http1.upstreams import Reply, Upstreams

_QUICK = Liveness(keepalive_after_s=1, keepalive_every_s=1, keepalive_probes=1, unacknowledged_s=1)


def _network(state: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", state], check=True)


async def _serve() -> str:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        if (await request.json()).get("hang"):
            await asyncio.Event().wait()
        return response

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/"


async def _outcome(work: Awaitable[object]) -> dict[str, object]:
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        await work
    except OSError as error:
        return {"error": type(error).__name__, "seconds": clock() - began}
    return {"error": None, "seconds": clock() - began}


async def _main() -> None:
    _network("up")
    url = await _serve()
    upstreams = Upstreams(Timeouts(keepalive_s=60, liveness=_QUICK))

    async def ask(body: bytes = b"{}") -> Reply:
        return await upstreams.post(url, body, {}, 60.0)

    async def whole() -> None:
        reply = await ask()
        await reply.read_all()
        reply.release()

    said = {"before": await _outcome(whole())}
    stream = await ask(b'{"hang": true}')
    await whole()  # On a connection of its own, which is kept.
    _network("down")
    pouring = asyncio.create_task(_outcome(stream.read_all()))
    said["kept"] = await _outcome(whole())
    said["in mid-stream"] = await pouring
    stream.release()
    _network("up")
    said["after"] = await _outcome(whole())
    upstreams.close()
    print(json.dumps(said))


if __name__ == "__main__":
    uvloop.run(_main())
