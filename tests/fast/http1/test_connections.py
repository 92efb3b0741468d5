"""The client of replicas against servers that send the very bytes they are told to."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from cato_backend.http1.connections import BadReply, Connection, Silence
from cato_backend.http1.upstreams import Upstreams
from tests.fast.http1.raw_server import asked, request, sends, serving

WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n\r\nhe", b"llo"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"hel", b"lo"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    ],
)
async def test_bodies_end_as_their_headers_say(pieces: tuple[bytes, ...]) -> None:
    async with serving(sends(*pieces)) as url:
        assert await asked(Upstreams(), url) == (200, b"hello")


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), BadReply),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",), ConnectionError),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",), ConnectionError),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhel",), BadReply),
        (
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1",),
            ConnectionError,
        ),
        ((b"HTTP/1.1 200",), ConnectionError),
        ((b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nhello",), BadReply),
        ((), ConnectionError),
    ],
)
async def test_what_is_no_whole_reply(pieces: tuple[bytes, ...], error: type[Exception]) -> None:
    async with serving(sends(*pieces)) as url:
        with pytest.raises(error):
            await asked(Upstreams(), url)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends a body that has no end."""
    await request(reader)
    writer.write(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def test_a_body_without_an_end_is_given_up() -> None:
    async with serving(endless) as url:
        reply = await Upstreams().post(url, b"{}", {}, 5.0)
        with pytest.raises(BadReply, match="larger than 1000000 bytes"):
            await reply.read_all(1_000_000)
        reply.release()
        reply = await Upstreams().post(url, b"{}", {}, 5.0)
        assert 4_000_000 < len(await reply.read_error()) < 5_000_000
        reply.release()


async def test_the_words_of_an_error_are_not_waited_for() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nwords")
        await request(reader)

    async with serving(serve) as url:
        reply = await Upstreams().post(url, b"{}", {}, 60.0)
        async with asyncio.timeout(30):
            assert await reply.read_error() == b"words"
        reply.release()


async def test_a_connection_is_kept_after_a_whole_reply_and_only_then() -> None:
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        for number in count(1):
            await request(reader)
            body = b"hell" if number == 4 else b"hello"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    upstreams = Upstreams()
    async with serving(serve) as url:
        for _ in range(3):
            await asked(upstreams, url)
        assert opened == 1
        reply = await upstreams.post(url, b"{}", {}, 5.0)
        reply.release()  # Its last byte has not come.
        await asked(upstreams, url)
        assert opened == 2
        upstreams.close()


async def test_silence_is_an_error_and_a_slow_reply_is_none() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell")
        await request(reader)

    async with serving(serve) as url:
        with pytest.raises(TimeoutError):
            await asked(Upstreams(), url, silence_s=0.05)


class Nowhere(asyncio.Transport):
    """Takes requests and sends nothing by itself; knows whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """It is lost."""

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None: ...

    def pause_reading(self) -> None:
        self.read = False

    def resume_reading(self) -> None:
        self.read = True


async def test_what_comes_before_anybody_asks_again_is_kept() -> None:
    taken: list[bytes] = []

    def take(data: bytes) -> bool:
        taken.append(data)
        return len(taken) != 1

    connection = Connection()
    connection.connection_made(Nowhere())
    connection.send(b"", 5.0)
    pouring = asyncio.create_task(connection.pour(take))
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    connection.data_received(b"world")  # And with it the body's end.
    assert await pouring
    assert taken == [b"hello"]
    assert not await connection.pour(take)
    assert taken == [b"hello", b"world"]
    assert connection.keep(1.0)


async def test_bytes_before_an_error_are_taken_first() -> None:
    taken: list[bytes] = []

    def take(data: bytes) -> bool:
        taken.append(data)
        return False

    broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"
    async with serving(sends(broken)) as url:
        reply = await Upstreams().post(url, b"{}", {}, 5.0)
        assert await reply.pour(take)
        assert taken == [b"hello"]
        with pytest.raises(BadReply):
            await reply.pour(take)
        reply.release()


async def test_a_header_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="line end"):
        await Upstreams().post("http://127.0.0.1:1/", b"", {"authorization": "a\r\nb: c"}, 1.0)


async def test_a_connection_is_usable_after_a_long_unread_reply() -> None:
    connection, transport = Connection(), Nowhere()
    connection.connection_made(transport)
    connection.send(b"", 5.0)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")
    connection.data_received(b"x" * 300_000)
    assert not transport.read
    assert connection.keep(1.0)
    assert transport.read


@pytest.mark.parametrize("stray", [b"HTTP/1.1 408 Request Timeout\r\n\r\n", WELL, b"?"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_bytes_that_belong_to_no_request_end_the_connection(
    stray: bytes, at_once: bool
) -> None:
    connection = Connection()
    connection.connection_made(Nowhere())
    connection.send(b"", 5.0)
    connection.data_received(WELL + stray if at_once else WELL)
    assert await connection.read_all() == b"hello"
    assert connection.keep(1.0) is not at_once
    connection.data_received(stray)
    assert not connection.usable
    connection.close()


async def test_what_must_end_soon_is_silent_after_its_limit() -> None:
    """However long the connection itself may be silent."""
    connection = Connection()
    connection.connection_made(Nowhere())
    connection.send(b"", 60.0)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    assert await connection.headers() == 200
    with pytest.raises(Silence):
        await connection.pour(lambda _: True, 0.01)
    assert not connection.usable
    connection.close()
