"""Clients of the soak: each asks until it is stopped, and checks every answer to the token."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from bench.chaos.engines import request_body
from bench.chaos.load import End, judge

NAMED = {
    "expired",
    "no_replica",
    "overloaded",
    "replica_failed",
    "replicas_busy",
    "replicas_died",
    "superseded",
}
"""Codes with which a request may end while replicas are disturbed."""
_FLOOD = 150


@dataclass(slots=True)
class Soak:
    """What the clients share. `ends` counts how requests ended, by kind of client."""

    url: str
    headers: dict[str, str]
    others_headers: dict[str, str]
    seed: int
    ends: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def chance(self, name: str) -> random.Random:
        """A source of chance of a client's own."""
        return random.Random(f"{self.seed} {name}")

    def count(self, kind: str, status: int, data: bytes, *, stream: bool) -> None:
        """Counts an answer. An error that names itself is counted by its code."""
        end, code = judge(status, data, stream=stream)
        assert end in (End.WHOLE, End.TOLD), (kind, status, end, data[-500:])
        assert end is End.WHOLE or code in NAMED, (kind, status, code, data[-500:])
        self.ends[kind, code or end.value] += 1


async def asking(soak: Soak, name: str, *, stream: bool) -> None:
    """One request after the other, each read to its end."""
    chance = soak.chance(name)
    async with aiohttp.ClientSession(headers=soak.headers) as http:
        while True:
            headers = {"x-slo-ttft-ms": "20000", "x-cato-session": f"s{chance.randrange(6)}"}
            async with http.post(
                f"{soak.url}/v1/completions", json=request_body(stream=stream), headers=headers
            ) as response:
                soak.count("asking", response.status, await response.read(), stream=stream)


async def leaving(soak: Soak, name: str) -> None:
    """Closes the connection somewhere in the answer."""
    chance = soak.chance(name)
    async with aiohttp.ClientSession(headers=soak.headers) as http:
        while True:
            try:
                async with asyncio.timeout(chance.uniform(0.001, 0.5)):
                    await _post(http, soak, "leaving")
            except TimeoutError:
                soak.ends["leaving", "left"] += 1


async def slow(soak: Soak, name: str) -> None:
    """Reads a few bytes, rests, and reads on; the text is whole nevertheless."""
    chance = soak.chance(name)
    async with aiohttp.ClientSession(headers=soak.headers, read_bufsize=256) as http:
        while True:
            async with http.post(
                f"{soak.url}/v1/completions",
                json=request_body(stream=True),
                headers={"x-slo-ttft-ms": "20000"},
            ) as response:
                data = b""
                while part := await response.content.read(200):
                    data += part
                    await asyncio.sleep(chance.uniform(0, 0.02))
                soak.count("slow", response.status, data, stream=True)


async def flooding(soak: Soak, name: str) -> None:
    """Another token asks for much at once, now and then."""
    chance = soak.chance(name)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=soak.others_headers) as http:
        while True:
            await asyncio.gather(*(_post(http, soak, "flooding") for _ in range(_FLOOD)))
            await asyncio.sleep(chance.uniform(5, 20))


async def half_sent(soak: Soak, name: str) -> None:
    """Sends half a request, and closes or waits to be closed."""
    chance = soak.chance(name)
    host, _, port = soak.url.removeprefix("http://").partition(":")
    while True:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: 9\r\n")
        await asyncio.sleep(chance.uniform(0, 2))
        writer.transport.abort()
        soak.ends["half sent", "aborted"] += 1


async def _post(http: aiohttp.ClientSession, soak: Soak, kind: str) -> None:
    async with http.post(f"{soak.url}/v1/completions", json=request_body(stream=True)) as response:
        soak.count(kind, response.status, await response.read(), stream=True)


Client = Callable[[Soak, str], Awaitable[None]]


async def streaming(soak: Soak, name: str) -> None:
    """Reads streams to their end."""
    await asking(soak, name, stream=True)


async def waiting(soak: Soak, name: str) -> None:
    """Asks for answers in one piece."""
    await asking(soak, name, stream=False)


CLIENTS: tuple[tuple[Client, int], ...] = (
    (streaming, 12),
    (waiting, 4),
    (leaving, 4),
    (slow, 6),
    (flooding, 1),
    (half_sent, 2),
)
"""How many of each."""
