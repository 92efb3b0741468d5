"""One HTTP/1.1 connection to a replica: one request at a time, with a streamed reply.

aiohttp's client takes a quarter of the gateway's time for each request, most of it for what is not
needed between a gateway and its replicas (redirects, cookies, proxies, traces).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias, cast

import httptools

from cato_backend.http1.reply_head import ReplyHead
from cato_backend.http1.servers import Liveness

_HIGH_WATER = 256 * 1024
"""Bytes that wait for their reader; above it the replica is made to wait."""
LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of an answer in one piece; a million tokens with their log probabilities have fewer."""
_KEEP_ALIVE_MARGIN_S = 1.0
"""A connection is given up this long before its peer has said that it closes it."""

Take: TypeAlias = Callable[[bytes], bool]
"""Takes bytes of a body; False where no more must come until it is asked for."""


class BadReply(Exception):
    """The reply is not valid HTTP."""


class Silence(TimeoutError):
    """No byte of the reply arrived for `silence_s` seconds."""


class Connection(asyncio.Protocol):
    """A connection. It belongs to one request from `send` to `keep`."""

    def __init__(self, liveness: Liveness | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._liveness = liveness or Liveness()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._take: Take | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.silence_s = 0.0
        """How long the reply may bring nothing; may be changed while it is awaited."""
        self._sent_at = self._heard = 0.0
        self._error: Exception | None = None
        self.answered = False
        """Whether a byte came since the request was sent."""
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        """0 until the reply's headers are there."""
        self.head = ReplyHead()
        self._chunks: list[bytes] = []
        self._held = 0
        self._complete = False
        self._keeps_alive = False

    # -- the request ---------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        transport = self._transport
        return self._error is None and transport is not None and not transport.is_closing()

    def send(self, request: bytes, silence_s: float) -> None:
        """Send a request; its reply must not be silent for longer than that."""
        assert self._transport is not None
        self._reset()
        self._cancel_timer()
        self.answered = False
        self.silence_s = silence_s
        self._sent_at = self._heard = self._loop.time()
        self._timer = self._loop.call_later(silence_s, self._look)
        self._transport.write(request)

    @property
    def waited_s(self) -> float:
        """Seconds since the request was sent."""
        return self._loop.time() - self._sent_at

    async def headers(self) -> int:
        """Return the reply's status. Raises ConnectionError, Silence, another OSError, BadReply."""
        while not self.status:
            await self._wait()
        return self.status

    async def pour(self, take: Take, limit_s: float | None = None) -> bool:
        """Hand the body to `take` as it arrives, until that returns False or the body ends.

        Returns whether more may come. Raises as `headers`, and Silence where this takes longer than
        `limit_s` seconds. `take` must not raise: it is called as the bytes come, because to wake a
        task for each token would cost more than to pass it on.
        """
        if self._chunks and not take(self._taken()):
            return True
        self._take, limit = take, None
        if limit_s is not None and not self._complete:
            limit = self._loop.call_later(limit_s, self._end_silent, limit_s)
        try:
            while self._take is not None and not self._complete:
                await self._wait()
        finally:
            self._take = None
            if limit is not None:
                limit.cancel()
        return bool(self._chunks) or not self._complete

    async def read_all(self, most: int = LARGEST_BODY) -> bytes:
        """Return the whole body. Raises as `headers`, and BadReply where it has more bytes."""
        body = bytearray()
        if await self._read(body, most):
            raise BadReply(f"its body is larger than {most} bytes")
        return bytes(body)

    async def read_beginning(self, most: int, within_s: float) -> bytes:
        """Return the part of the body that arrives within `within_s` seconds, at most `most` bytes.

        Raises as `headers`.
        """
        body = bytearray()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._read(body, most)
        return bytes(body)

    async def _read(self, body: bytearray, most: int) -> bool:
        """Append what comes to `body`; return whether it is larger than `most` bytes."""

        def keep(part: bytes) -> bool:
            body.extend(part)
            return len(body) <= most

        await self.pour(keep)
        return len(body) > most

    def keep(self, idle_s: float) -> bool:
        """Return whether another request may be sent. Close the connection if not.

        A kept connection closes itself after `idle_s` without a request, or sooner where the peer
        announced a shorter limit (`Keep-Alive: timeout=`): a request that is sent when the peer is
        about to close would be lost.
        """
        idle_s = min(idle_s, self.head.keep_alive_s - _KEEP_ALIVE_MARGIN_S)
        reusable = self._complete and self._keeps_alive and self.usable and idle_s > 0
        if not reusable:
            self.close()
        else:
            self._taken()  # What was not read; reading may have been paused for it.
            self._parser = httptools.HttpResponseParser(self)
            self._cancel_timer()
            self._timer = self._loop.call_later(idle_s, self.close)
        return reusable

    def close(self) -> None:
        """Close at once, even in mid-reply: so an engine learns that its client has left."""
        self._cancel_timer()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self, error: Exception | None = None) -> None:
        self._error = self._error or error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _taken(self) -> bytes:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        if self._held > _HIGH_WATER and self._transport is not None:
            self._transport.resume_reading()
        self._held = 0
        return data

    def _look(self) -> None:
        """One timer for the whole reply: setting it again for each token would cost more."""
        silent_s = self._loop.time() - self._heard
        if silent_s >= self.silence_s and self._waiter is not None:
            self._end_silent(self.silence_s)
            return
        delay_s = self.silence_s - silent_s if self._waiter is not None else self.silence_s
        self._timer = self._loop.call_later(max(0.001, delay_s), self._look)

    def _end_silent(self, seconds: float) -> None:
        self._wake(Silence(f"nothing came for {seconds:g} s"))

    # -- asyncio.Protocol ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Record that it is open."""
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            self._liveness.apply(sock)

    def data_received(self, data: bytes) -> None:
        """Bytes of the reply."""
        self._heard = self._loop.time()
        self.answered = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, zlib.error) as error:
            self._wake(BadReply(f"{type(error).__name__}: {error}"))
        if self._take is None or not self._chunks:
            return
        if self._held <= _HIGH_WATER and len(self._chunks) == 1:
            data, self._held = self._chunks.pop(), 0  # As `_taken`, without a call for each token.
        else:
            data = self._taken()
        if not self._take(data):
            self._take = None
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Record that it is closed. A body without a length ends with it."""
        self._transport = None
        if self.status and not self.head.delimited and not self._complete and exc is None:
            self._complete = True
            self._wake()
        self._error = self._error or exc or ConnectionResetError("the connection was closed")
        if not self._complete:
            self._wake(self._error)

    # -- httptools -----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a reply. One that was not asked for makes the connection unusable."""
        if self._complete:
            raise BadReply("bytes after the reply")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.head.add(name, value)

    def on_headers_complete(self) -> None:
        """Record that the status is known."""
        self.status = self._parser.get_status_code()
        self._wake()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        inflate = self.head.inflate
        data = body if inflate is None else inflate(body)
        if not data:
            return
        self._chunks.append(data)
        self._held += len(data)
        if self._held > _HIGH_WATER and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """Record that the reply is whole."""
        if self.status >= 200:
            self._complete = True
            self._keeps_alive = self._parser.should_keep_alive()
            self._wake()
        else:  # A 1xx announces the reply proper.
            self._reset()
