"""Many concurrent streams read with as little work per token as Python allows.

Bytes are stored with their time of arrival and parsed after the run, so that the client does not
become the thing that is measured. The emulated engine writes its monotonic clock as each token's
text; on one machine that clock is common to all processes, so every token's transit time is exact.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_STAMP = re.compile(rb'"text":"(\d+) "')


@dataclass(frozen=True, slots=True)
class Timing:
    """One stream, in milliseconds: request to first token, each token's transit from the engine's
    write to the client's read, and the time per token after the first."""

    ttft_ms: float
    transit_ms: list[float]
    tpot_ms: float


@dataclass(slots=True)
class _Reader(asyncio.Protocol):
    done: asyncio.Future[None]
    arrivals: list[tuple[int, bytes]] = field(default_factory=list)

    def data_received(self, data: bytes) -> None:
        self.arrivals.append((time.monotonic_ns(), data))
        if b"data: [DONE]" in data:
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionResetError("the stream ended early"))


async def stream(url: str, model: str, tokens: int) -> Timing:
    """One completion stream of so many tokens."""
    loop = asyncio.get_running_loop()
    reader = _Reader(loop.create_future())
    host, _, port = urlsplit(url).netloc.partition(":")
    transport, _ = await loop.create_connection(lambda: reader, host, int(port))
    try:
        started = time.monotonic_ns()
        transport.write(_request(host, model, tokens))
        await reader.done
    finally:
        transport.close()
    return _timing(reader.arrivals, started, tokens)


def _request(host: str, model: str, tokens: int) -> bytes:
    body = {
        "model": model,
        "prompt": "def add(a, b):\n    ",
        "max_tokens": tokens,
        "stream": True,
        "temperature": 0,
    }
    payload = json.dumps(body).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"x-slo-ttft-ms: 60000\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


def _timing(arrivals: list[tuple[int, bytes]], started: int, tokens: int) -> Timing:
    """Each stamp belongs to the read that brought its last byte. Chunk sizes of the transfer
    encoding stand between events, never in a stamp."""
    whole = b"".join(data for _, data in arrivals)
    ends, total = [], 0
    for _, data in arrivals:
        total += len(data)
        ends.append(total)
    read, transit, seen = 0, [], []
    for match in _STAMP.finditer(whole):
        while ends[read] < match.end():
            read += 1
        seen.append(arrivals[read][0])
        transit.append((arrivals[read][0] - int(match[1])) / 1e6)
    if len(seen) != tokens:
        raise RuntimeError(f"{len(seen)} tokens of {tokens} came: {whole[:300]!r}")
    per_token = (seen[-1] - seen[0]) / 1e6 / max(1, tokens - 1)
    return Timing((seen[0] - started) / 1e6, transit, per_token)


async def concurrent(
    url: str, model: str, streams: int, tokens: int, spread_s: float
) -> list[Timing]:
    """So many streams at once, their starts spread evenly over `spread_s`."""

    async def one(index: int) -> Timing:
        await asyncio.sleep(spread_s * index / streams)
        return await stream(url, model, tokens)

    return await asyncio.gather(*(one(index) for index in range(streams)))
