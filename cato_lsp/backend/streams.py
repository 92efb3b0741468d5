"""One streamed answer, read to its end in a task of its own: a reader can leave at any time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from cato_backend.wire import headers
from cato_backend.wire.headers import CancelReason
from cato_backend.wire.sse import DONE, MESSAGE, Event, EventReader
from cato_lsp.backend.failures import BackendFailure, Unreachable, refusal

PAGE = "text/html"
WHOLE = "application/json"
"""What servers answer that do not stream."""

DRAIN_S = 2.0
"""How long a cancelled stream may take to end before its connection is given up."""


Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Starts a task and holds on to it until it ends."""
Tell = Callable[[CancelReason], Awaitable[bool]]
"""Tells the backend to end the answer; returns whether it did."""


@dataclass(frozen=True, slots=True)
class Head:
    """Values of the response headers; None for those that are missing."""

    request_id: str | None = None
    replica: str | None = None
    queue_ms: float | None = None
    load: float | None = None


class EventStream:
    """The events of one response, in order.

    `cancel` returns at once; the response is then read to its end in the background, which is what
    lets the connection be used again.
    """

    def __init__(
        self,
        request: AbstractAsyncContextManager[aiohttp.ClientResponse],
        tell: Tell | None,
        spawn: Spawn,
    ) -> None:
        self.head = Head()
        self.done = False
        """Whether `[DONE]` has come."""
        self._tell = tell
        self._spawn = spawn
        self._cancelled = False
        self._events: asyncio.Queue[Event | BackendFailure | None] = asyncio.Queue()
        self._reading = spawn(self._read(request))
        self._reading.add_done_callback(self._end)

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over the events up to `[DONE]`. Raises BackendFailure."""
        return self

    async def __anext__(self) -> Event:
        event = await self._events.get()
        if event is None:
            raise StopAsyncIteration
        if isinstance(event, BackendFailure):
            raise event
        return event

    def cancel(self, reason: CancelReason) -> None:
        """End the answer if it has not ended; what still comes is discarded."""
        if self._reading.done() or self._cancelled:
            return
        self._cancelled = True
        if self._tell is None:
            self._reading.cancel()
        else:
            self._spawn(self._leave(self._tell, reason))

    async def _leave(self, tell: Tell, reason: CancelReason) -> None:
        if await tell(reason):
            await asyncio.wait([self._reading], timeout=DRAIN_S)
        self._reading.cancel()

    async def _read(self, request: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> None:
        try:
            async with request as response:
                if response.status != 200:
                    raise await refusal(response)
                self.head = _head(response.headers)
                await self._read_answer(response)
        except BackendFailure as failure:
            self._events.put_nowait(failure)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            self._events.put_nowait(Unreachable("the backend broke off its answer"))

    async def _read_answer(self, response: aiohttp.ClientResponse) -> None:
        """Read. Raises BackendFailure, MalformedStream (a ValueError), aiohttp.ClientError."""
        if response.content_type == PAGE:
            raise Unreachable(f"{response.url.origin()} answered with a web page")
        if response.content_type == WHOLE:
            data = await response.read()
            self._events.put_nowait(Event(MESSAGE, data.decode(errors="replace"), data))
            return
        reader = EventReader()
        async for chunk in response.content.iter_any():
            self._take(reader.feed(chunk))
        self._take(reader.end())

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            self.done = self.done or event.data == DONE
            # Read on after the end: only a response read whole leaves its connection reusable.
            self._events.put_nowait(None if event.data == DONE else event)

    def _end(self, _reading: asyncio.Task[None]) -> None:
        self._events.put_nowait(None)


def _head(named: CIMultiDictProxy[str]) -> Head:
    return Head(
        request_id=named.get(headers.REQUEST_ID),
        replica=named.get(headers.REPLICA),
        queue_ms=_number(named.get(headers.QUEUE_MS)),
        load=_number(named.get(headers.LOAD)),
    )


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
