"""The kinds of faults: what is done to one of the replicas, to the gateway, or beside it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bench.chaos.engines import MODEL, Engine, request_body

POISON = "poison pill"
_RELOADS_EACH_S = 0.5
_FLOOD = 300
_SILENT_CLIENTS = 300
_SLOW_READERS = 100
_REVIVED_AFTER_S = 1.0
_FLAPS_EACH_S = 0.3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault strikes."""

    engines: list[Engine]
    url: str
    headers: dict[str, str]
    """Of the clients that misbehave; they bear another token than those that are counted."""
    reload: Callable[[], None]


Fault = Callable[[Place], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    name: str
    fault: Fault
    of_replica: bool = True
    """Whether the first replica is out of service meanwhile, so that it has to come back."""


def scripted(name: str, **values: Any) -> Kind:
    """The first replica behaves so, and then well again."""

    @asynccontextmanager
    async def fault(place: Place) -> AsyncGenerator[None]:
        await place.engines[0].behave(**values)
        yield

    return Kind(name, fault)


@asynccontextmanager
async def _killed(place: Place) -> AsyncGenerator[None]:
    await place.engines[0].kill()
    yield


@asynccontextmanager
async def _all_killed(place: Place) -> AsyncGenerator[None]:
    await asyncio.gather(*(engine.kill() for engine in place.engines))
    await asyncio.sleep(_REVIVED_AFTER_S)
    await healed(place)
    yield


@asynccontextmanager
async def _frozen(place: Place) -> AsyncGenerator[None]:
    place.engines[0].signal(signal.SIGSTOP)
    yield


@asynccontextmanager
async def _flapping(place: Place) -> AsyncGenerator[None]:
    ends = asyncio.Event()

    async def flap() -> None:
        while not ends.is_set():
            await place.engines[0].kill()
            await asyncio.sleep(_FLAPS_EACH_S)
            await place.engines[0].revive()
            await asyncio.sleep(_FLAPS_EACH_S)

    flapping = asyncio.create_task(flap())
    try:
        yield
    finally:
        ends.set()
        await flapping


@asynccontextmanager
async def _poisoned(place: Place) -> AsyncGenerator[None]:
    """A request that kills whichever replica starts it; each is restarted a second later."""
    for engine in place.engines:
        await engine.behave(deadly=POISON)

    async def poison() -> None:
        body = {"model": MODEL, "prompt": POISON, "max_tokens": 4}
        async with aiohttp.ClientSession(headers=place.headers) as http:
            with suppress(aiohttp.ClientError):
                async with http.post(f"{place.url}/v1/completions", json=body) as response:
                    await response.read()
        await asyncio.sleep(_REVIVED_AFTER_S)
        for engine in place.engines:
            await engine.behave(listening=True, deadly="")

    async with _beside(poison()):
        yield
    for engine in place.engines:
        await engine.behave(listening=True)


@asynccontextmanager
async def _reloaded(place: Place) -> AsyncGenerator[None]:
    async def reload() -> None:
        while True:
            place.reload()
            await asyncio.sleep(_RELOADS_EACH_S)

    async with _beside(reload()):
        yield


@asynccontextmanager
async def _flooded(place: Place) -> AsyncGenerator[None]:
    """One token asks three hundred times at once."""
    body = request_body(stream=True)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=place.headers) as http:

        async def ask() -> None:
            with suppress(aiohttp.ClientError):
                async with http.post(f"{place.url}/v1/completions", json=body) as response:
                    await response.read()

        async with _beside(*(ask() for _ in range(_FLOOD))):
            yield


def _request(place: Place, body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    lines = ["POST /v1/completions HTTP/1.1", "host: gateway", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in place.headers.items()]
    return "\r\n".join([*lines, f"content-length: {len(data)}"]).encode() + b"\r\n\r\n" + data


async def _connected(place: Place, count: int, data: bytes) -> list[asyncio.StreamWriter]:
    """Connections that have sent this, and from which nothing is read."""
    parts = urlsplit(place.url)
    writers = list[asyncio.StreamWriter]()
    for _ in range(count):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1)
        writer.write(data)
        writers.append(writer)
    return writers


def _connections(count: int, data: Callable[[Place], bytes]) -> Fault:
    @asynccontextmanager
    async def fault(place: Place) -> AsyncGenerator[None]:
        writers = await _connected(place, count, data(place))
        try:
            yield
        finally:
            for writer in writers:
                writer.transport.abort()

    return fault


def _unread(place: Place) -> bytes:
    return _request(place, request_body(stream=True))


@asynccontextmanager
async def _beside(*work: Awaitable[None]) -> AsyncGenerator[None]:
    """Does this while the block runs, and no longer."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for each in found:
            if isinstance(each, Exception):
                raise each


async def healed(place: Place) -> None:
    """Ends what a fault has left at the replicas."""
    await asyncio.gather(*(engine.revive() for engine in place.engines))


def _error(**values: Any) -> dict[str, Any]:
    return {"faults": [values]}


KINDS = (
    Kind("killed", _killed),
    Kind("killed, all at once, and restarted after 1 s", _all_killed),
    Kind("killed and restarted all the time", _flapping),
    Kind("frozen (SIGSTOP)", _frozen),
    scripted("answers /health and never a completion", **_error(kind="hang")),
    scripted("answers 500", **_error(kind="error", status=500)),
    scripted(
        "answers 503 with Retry-After: 1", **_error(kind="error", status=503, retry_after="1")
    ),
    scripted("answers 429 without Retry-After", **_error(kind="error", status=429)),
    scripted("a page of HTML with status 502", **_error(kind="html", status=502)),
    scripted("a page of HTML with status 200", **_error(kind="html", status=200)),
    scripted("resets each connection", **_error(kind="reset")),
    scripted("resets each connection after 10 tokens", **_error(kind="die", after_tokens=10)),
    scripted("ends each stream after 10 tokens", **_error(kind="truncate", after_tokens=10)),
    scripted("stops after 10 tokens, connection open", **_error(kind="stall", after_tokens=10)),
    scripted("no JSON after 10 tokens", **_error(kind="malformed", after_tokens=10)),
    scripted(
        "an error within the stream (vLLM)",
        **_error(kind="stream_error", after_tokens=10, form="openai"),
    ),
    scripted(
        "an error within the stream (vLLM before 0.11)",
        **_error(kind="stream_error", after_tokens=10, form="bare"),
    ),
    scripted("finish reason abort", **_error(kind="stream_error", after_tokens=10, form="abort")),
    scripted("shuts down gracefully", accepting=False),
    scripted("a damaged list of models", listings=["null", "{}", "[]", '{"data": [{"id": 7}]}']),
    Kind("one request kills each replica that starts it", _poisoned, of_replica=False),
    Kind("the gateway reloads twice a second", _reloaded, of_replica=False),
    Kind("another token asks 300 times at once", _flooded, of_replica=False),
    Kind("100 clients do not read", _connections(_SLOW_READERS, _unread), of_replica=False),
    Kind(
        "300 clients send half a request",
        _connections(_SILENT_CLIENTS, lambda _: b"POST /v1/completions HTTP/1.1\r\nhost: g\r\n"),
        of_replica=False,
    ),
)
