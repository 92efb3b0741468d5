"""Kept connections that their peer closes, resets or forgets between two requests."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cato_backend.http1.connections import BadReply, Connection, Silence
from cato_backend.http1.servers import CannotConnect, Liveness, Timeouts
from cato_backend.http1.upstreams import Upstreams
from tests.fast.http1.raw_server import asked, request, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
WELL = HEAD + b"\r\nhello"
HASTY = Timeouts(stale_s=0.05)
Second = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does on a connection after its first answer."""


class Peer:
    """A server that answers the first request of each connection, and counts all requests."""

    def __init__(self, then: Second, first: bytes = WELL) -> None:
        self.then = then
        self.first = first
        self.connections = 0
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self.request(reader)
        writer.write(self.first)
        await self.then(reader, writer)

    async def request(self, reader: asyncio.StreamReader) -> None:
        await request(reader)
        self.requests += 1


async def closes_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def closes_its_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await reader.read()


async def closes_at_the_next_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await request(reader)
    writer.close()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def times_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    writer.close()


async def forgets(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Reads and never answers, as a proxy that has lost its way to the server."""
    await reader.read()


@asynccontextmanager
async def to(peer: Peer, timeouts: Timeouts | None = None) -> AsyncGenerator[tuple[Upstreams, str]]:
    upstreams = Upstreams(timeouts)
    async with serving(peer.serve) as url:
        yield upstreams, url
        upstreams.close()


@pytest.mark.parametrize(
    "then",
    [closes_at_once, closes_its_half, closes_at_the_next_request, resets, times_out, forgets],
)
async def test_a_dead_kept_connection_costs_no_request(then: Second) -> None:
    peer = Peer(then)
    async with to(peer, HASTY) as (upstreams, url), asyncio.timeout(5):
        for _ in range(4):
            assert await asked(upstreams, url, streams=True) == (200, b"hello")
        assert peer.connections == 4


async def test_on_a_new_connection_a_request_is_sent_once() -> None:
    requests = 0

    async def dies(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal requests
        await request(reader)
        requests += 1

    async with serving(dies) as url:
        with pytest.raises(ConnectionError):
            await asked(Upstreams(), url)
    assert requests == 1


async def test_a_request_is_sent_twice_at_most() -> None:
    peer = Peer(closes_at_the_next_request, first=WELL)
    async with to(peer) as (upstreams, url):
        await asked(upstreams, url)
        first = peer.requests
        peer.first, peer.then = b"", closes_at_once  # New connections end without an answer, too.
        with pytest.raises(ConnectionError):
            await asked(upstreams, url)
    assert (first, peer.requests) == (1, 2)


async def test_a_reply_that_has_begun_is_not_asked_for_again() -> None:
    async def begins(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        writer.write(b"HTTP/1.1 200")

    peer = Peer(begins)
    async with to(peer) as (upstreams, url):
        await asked(upstreams, url)
        with pytest.raises(ConnectionError):
            await asked(upstreams, url)
    assert peer.requests == 2


async def test_a_request_that_was_at_work_is_not_sent_again() -> None:
    async def works_and_dies(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        await asyncio.sleep(2 * HASTY.stale_s)

    peer = Peer(works_and_dies)
    async with to(peer, HASTY) as (upstreams, url):
        await asked(upstreams, url)
        with pytest.raises(ConnectionError):
            await asked(upstreams, url)
    assert peer.requests == 2


async def test_with_one_dead_connection_the_others_are_given_up() -> None:
    closed = asyncio.Semaphore(0)

    async def counts(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.release()

    async with to(Peer(counts), HASTY) as (upstreams, url), asyncio.timeout(5):
        await asyncio.gather(*(asked(upstreams, url) for _ in range(3)))
        await asked(upstreams, url, streams=True)
        for _ in range(3):
            await closed.acquire()


async def test_silence_that_was_granted_is_not_granted_twice() -> None:
    peer = Peer(forgets)
    async with to(peer) as (upstreams, url):
        await asked(upstreams, url)
        with pytest.raises(Silence):
            await asked(upstreams, url, silence_s=0.05)  # It may be at work on the whole answer.
    assert peer.connections == 1


async def test_a_server_whose_headers_take_long_is_given_the_time() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for delay_s in (0.1, 0.2):
            await request(reader)
            await asyncio.sleep(delay_s)
            writer.write(WELL)

    connections = 0
    upstreams = Upstreams(HASTY)
    async with serving(slow) as url:
        for _ in range(2):
            await asked(upstreams, url, streams=True)
        upstreams.close()
    assert connections == 1


@pytest.mark.parametrize(
    ("head", "keepalive_s"),
    [
        (b"", 0.02),
        (b"Keep-Alive: timeout=1\r\n", 30.0),
        (b"keep-alive: max=9, timeout=0\r\n", 30.0),
    ],
)
async def test_idle_connections_are_closed_before_the_peer_does(
    head: bytes, keepalive_s: float
) -> None:
    closed = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        closed.set()

    peer = Peer(waits, HEAD + head + b"\r\nhello")
    async with to(peer, Timeouts(keepalive_s=keepalive_s)) as (upstreams, url), asyncio.timeout(5):
        await asked(upstreams, url)
        await closed.wait()
        await asked(upstreams, url)
    assert peer.connections == 2


async def test_an_upgrade_that_was_not_asked_for_is_no_reply() -> None:
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with to(Peer(closes_at_once, upgrade)) as (upstreams, url):
        with pytest.raises(BadReply):
            await asked(upstreams, url)


async def test_a_connection_that_does_not_come_about_is_given_up_by_name() -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    fillers = [socket.socket() for _ in range(8)]
    with full:
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))  # Never accepted: SYNs are dropped then.
        with pytest.raises(CannotConnect, match=f"no connection to 127.0.0.1:{port} in 0.1 s"):
            await asked(Upstreams(Timeouts(connect_s=0.1)), f"http://127.0.0.1:{port}/")
    for filler in fillers:
        filler.close()


async def test_connections_probe_their_peer() -> None:
    async with serving(forgets) as url:
        port = int(url.split(":")[2].partition("/")[0])
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(
            lambda: Connection(Liveness(keepalive_after_s=7, unacknowledged_s=3.5)),
            "127.0.0.1",
            port,
        )
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 3500
        connection.close()
