"""Clients that read late or speak an old HTTP, over bare sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from cato_backend.wire import sse
from tests.contract.gateway.site import COMPLETIONS, Site, eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")

_SMALL = 256 * 1024
"""Bytes of a socket's buffer: what the gateway cannot send is then its own to hold. Two segments of
loopback (64 KiB) fit: a smaller window opens again without a word to the sender, whose probes come
ever more rarely."""

_CHOICES, _TOKENS = 16, 4000
"""Some 17 MB, more than kernels keep for the two connections."""


async def test_a_client_that_does_not_read_makes_its_replica_wait(single: Site) -> None:
    """Longer than a replica may be silent, and nothing of the answer is lost by it."""
    usage = {"stream_options": {"include_usage": True}}
    body = {"prompt": "x", "stream": True, "max_tokens": _TOKENS, "n": _CHOICES, **usage}
    reader, writer = await asked(single, body, "1.1")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    looks: list[int] = []

    async def generated() -> list[int]:
        await asyncio.sleep(0.1)
        looks.append(single.fake.state.generated_tokens)
        return looks[-6:]

    before = single.fake.state.generated_tokens
    await eventually(lambda last: len(last) == 6 and len(set(last)) == 1, generated)
    assert looks[-1] - before < _CHOICES * _TOKENS
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    *chunks, last, done = sse.EventReader().feed(await body_of(reader))
    assert done.data == sse.DONE
    assert json.loads(last.data)["usage"]["completion_tokens"] == _CHOICES * _TOKENS
    ends = [json.loads(event.data)["choices"][0]["finish_reason"] for event in chunks]
    assert len(ends) == _CHOICES * _TOKENS
    assert ends.count("length") == _CHOICES
    writer.close()


async def test_http_1_0_gets_the_stream_as_it_is(single: Site) -> None:
    await single.fake.change(itl_ms=2)
    body = {"prompt": "x", "stream": True, "max_tokens": 20}
    reader, writer = await asked(single, body, "1.0")
    raw = (await reader.read()).partition(b"\r\n\r\n")[2]
    events = sse.EventReader().feed(raw)
    assert b"".join(event.raw for event in events) == raw
    assert len(events) == 21
    assert events[-1].data == sse.DONE
    writer.close()


async def asked(
    site: Site, body: dict[str, Any], version: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request on a connection of its own."""
    bare = socket.socket()
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
    parts = urlsplit(site.url)
    bare.connect((parts.hostname, parts.port))
    reader, writer = await asyncio.open_connection(sock=bare, limit=_SMALL)
    payload = json.dumps(body).encode()
    head = f"POST {COMPLETIONS} HTTP/{version}\r\nHost: {parts.netloc}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    writer.write(head.encode() + payload)
    return reader, writer


async def body_of(reader: asyncio.StreamReader) -> bytes:
    """The chunked body of the response, without the frames of the transfer encoding."""
    await reader.readuntil(b"\r\n\r\n")
    pieces: list[bytes] = []
    while size := int(await reader.readline(), 16):
        pieces.append(await reader.readexactly(size))
        assert await reader.readline() == b"\r\n"
    assert await reader.readline() == b"\r\n"
    return b"".join(pieces)
