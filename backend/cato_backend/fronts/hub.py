"""The scheduler's end of a front's connection: its calls are served here."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

import msgspec

from cato_backend.errors import InternalError, RequestError
from cato_backend.fronts.messages import (
    WINDOW_BYTES,
    AnswerBegun,
    AnswerBytes,
    AnswerEnded,
    Ask,
    Counts,
    ErrorFields,
    FromFront,
    Hello,
    Identified,
    Identify,
    Leave,
    Listening,
    Quiet,
    Taken,
    ToFront,
    from_front,
    packed,
    to_text,
)
from cato_backend.gateway.calls import run_draft
from cato_backend.gateway.state import Gateway
from cato_backend.metrics import Metrics
from cato_backend.runtime.calls import Call, Sink, Started
from cato_backend.runtime.runtime import Remake, run_call

_CREDENTIALS = struct.Struct("3i")
"""Process, user and group of a socket's peer."""
_NOTHING = Counts(0, 0, {}, {})
log = logging.getLogger(__name__)


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Return process and user id of the other end of a Unix socket."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(data)
    return process, user


class FrontLink(asyncio.Protocol):
    """One front; `on_news` is told when it has said hello, when it listens, and when it is gone."""

    def __init__(
        self,
        gateway: Gateway,
        is_ours: Callable[[int, int], bool],
        on_news: Callable[[FrontLink], None],
    ) -> None:
        """`is_ours` tells whether a process of a user may connect."""
        self.number = 0
        """Which of the fronts it is; 0 before it has said so."""
        self.listens = False
        self.is_gone = False
        self.is_quiet = asyncio.Event()
        """Nothing is under way there; asked of a front that is being drained."""
        self.counts = _NOTHING
        self.counted = asyncio.Event()
        self.writable = asyncio.Event()
        self._gateway = gateway
        self._is_ours = is_ours
        self._on_news = on_news
        self._unpacker = from_front()
        self._transport: asyncio.WriteTransport | None = None
        self._served: dict[int, tuple[asyncio.Task[None], _RemoteSink]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take no messages of other users, nor of processes that were not started here."""
        self._transport = cast("asyncio.WriteTransport", transport)
        if not self._is_ours(*peer_of(transport.get_extra_info("socket"))):
            log.warning("a process that is no front was refused on the fronts' socket")
            self._transport.abort()
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the front's calls, as if each of its clients had gone."""
        self._transport = None
        self.is_gone = True
        self.writable.set()
        for event in (self.is_quiet, self.counted):
            event.set()
        for task, _ in self._served.values():
            task.cancel()
        self._on_news(self)

    def pause_writing(self) -> None:
        """Hold answers back: the front does not keep up."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Let them go."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Act on each message."""
        try:
            for message in self._unpacker.feed(data):
                self._take(message)
        except msgspec.MsgspecError:
            log.exception("a front sent what is no message; it is started again")
            self.abort()

    def send(self, message: ToFront) -> None:
        """Send a message; nothing to a front that is gone."""
        if self._transport is not None:
            self._transport.write(packed(message))

    def abort(self) -> None:
        """Close the connection, which ends the front."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, message: FromFront) -> None:
        match message:
            case Ask():
                self._begin(message)
            case Taken(number, size):
                if number in self._served:
                    self._served[number][1].taken(size)
            case Leave(number):
                if number in self._served:
                    self._served[number][0].cancel()
            case Identify(number, authorization):
                self.send(Identified(number, self._refusal(to_text(authorization))))
            case Counts():
                _count(self._gateway.runtime.metrics, self.counts, message)
                self.counts = message
                self.counted.set()
            case Quiet():
                self.is_quiet.set()
            case Hello():
                self.number = message.number
                self._on_news(self)
            case Listening():
                self.listens = True
                self._on_news(self)

    def _refusal(self, authorization: str | None) -> ErrorFields | None:
        try:
            self._gateway.credentials.check(authorization)
        except RequestError as error:
            return ErrorFields.of(error)
        return None

    def _begin(self, ask: Ask) -> None:
        sink = _RemoteSink(self, ask.number)
        task = asyncio.create_task(self._serve(ask, sink))
        self._served[ask.number] = task, sink
        task.add_done_callback(lambda _: self._served.pop(ask.number))

    async def _serve(self, ask: Ask, sink: Sink) -> None:
        error: RequestError | None = None
        try:
            await self._run(ask, sink)
        except RequestError as refused:
            error = refused
        except Exception:
            log.exception(
                "a defect while serving a call", extra={"request_id": ask.given.request_id}
            )
            error = InternalError()
        self.send(AnswerEnded(ask.number, None if error is None else ErrorFields.of(error)))

    async def _run(self, ask: Ask, sink: Sink) -> None:
        """Serve a call for the owner of its token. Raises RequestError."""
        gateway, runtime = self._gateway, self._gateway.runtime
        # A front that has just started does not know yet that the server drains.
        gateway.drain.check("")
        runtime.last_asked = runtime.clock()
        who = gateway.credentials.identify(to_text(ask.authorization))
        origin = replace(ask.given.origin, tenant=who.tenant)
        given = replace(ask.given, origin=origin, token_id=who.token_id)
        arrival = runtime.last_asked - ask.age_s

        async def serve(call: Call, remake: Remake) -> None:
            await run_call(call, remake, runtime, sink)

        run = partial(
            run_draft,
            gateway,
            ask.source.decode(errors="surrogateescape"),
            given,
            ask.draft,
            arrival,
            serve,
        )
        if not runtime.teams.knows(who.tenant):
            await run()
            return
        with runtime.teams.admitted(who.tenant):
            await run()


class _RemoteSink(Sink):
    """Sends an answer to the front; waits where its client does not take it."""

    def __init__(self, link: FrontLink, number: int) -> None:
        self._link = link
        self._number = number
        self._room = WINDOW_BYTES
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def begin(self, started: Started) -> None:
        """Tell what the response's headers need."""
        self._link.send(AnswerBegun(self._number, started))

    async def write(self, data: bytes) -> None:
        """Send once there is room."""
        await self._has_room.wait()
        await self._link.writable.wait()
        self._put(data)

    def write_now(self, data: bytes) -> bool:
        """Send where there is room."""
        if not (self._has_room.is_set() and self._link.writable.is_set()):
            return False
        self._put(data)
        return True

    def taken(self, size: int) -> None:
        """Count what has left for the client since this was told last."""
        self._room += size
        if self._room > 0:
            self._has_room.set()

    def _put(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room <= 0:
            self._has_room.clear()
        self._link.send(AnswerBytes(self._number, data))


def _count(metrics: Metrics, before: Counts, now: Counts) -> None:
    """Add to the counters what a front has counted since it told last."""
    for limit, number in now.closed.items():
        metrics.connections_closed.labels(limit).inc(number - before.closed.get(limit, 0))
    for code, number in now.refused.items():
        metrics.refusals.labels(code).inc(number - before.refused.get(code, 0))
