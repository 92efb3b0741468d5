"""A backend without HTTP: it notes what it is asked, and answers what it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

from cato_backend.wire.headers import CancelReason
from cato_backend.wire.sse import DONE, MESSAGE, Event
from cato_lsp.backend.calls import Call
from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.backend.link import Connection
from cato_lsp.backend.models import Model
from cato_lsp.backend.streams import EventStream, Head

MODEL = Model("cato", fills_in_the_middle=True, cancels=True)


class Stream:
    """One answer, as a `BackendClient` would stream it."""

    def __init__(self) -> None:
        self.head = Head(load=0.25)
        self.done = False
        self.cancelled: CancelReason | None = None
        self._events: asyncio.Queue[Event | BackendFailure | None] = asyncio.Queue()

    def says(self, *tokens: str, logprob: float | None = None) -> Stream:
        """The next tokens."""
        for token in tokens:
            choice: dict[str, Any] = {"text": token, "finish_reason": None}
            if logprob is not None:
                choice["logprobs"] = {"tokens": [token], "token_logprobs": [logprob]}
            self._put({"choices": [choice]})
        return self

    def answers_say(self, *texts: str) -> Stream:
        """Several answers in one stream."""
        for index, text in enumerate(texts):
            self._put({"choices": [{"index": index, "text": text, "finish_reason": None}]})
        return self

    def stops(self) -> Stream:
        """The model has no more to say."""
        self._put({"choices": [{"text": "", "finish_reason": "stop"}]})
        self.done = True
        self._events.put_nowait(None)
        return self

    def fails(self, failure: BackendFailure) -> Stream:
        """The answer ends with a failure."""
        self._events.put_nowait(failure)
        return self

    def cancel(self, reason: CancelReason) -> None:
        """Notes the first reason for which it was ended."""
        self.cancelled = self.cancelled or reason
        self._events.put_nowait(None)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await self._events.get()
        if event is None:
            raise StopAsyncIteration
        if isinstance(event, BackendFailure):
            raise event
        return event

    def _put(self, chunk: dict[str, Any]) -> None:
        data = json.dumps(chunk)
        assert data != DONE
        self._events.put_nowait(Event(MESSAGE, data, b""))


class Backend:
    """Answers calls in their order by `streams`, made beforehand or when a call comes."""

    def __init__(self, model: Model = MODEL) -> None:
        self.calls: list[Call] = []
        self.posts: list[str] = []
        self.status = 200
        """What posts are answered."""
        self._streams: list[Stream] = []
        self._changed = asyncio.Condition()
        self.connection = Connection(cast(BackendClient, self), model, round_trip_ms=0.0)

    def answer(self, number: int = 0) -> Stream:
        """The stream that answers call `number`."""
        while len(self._streams) <= number:
            self._streams.append(Stream())
        return self._streams[number]

    async def asked(self, times: int = 1) -> Call:
        """Returns the last call once there are so many."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.calls) >= times)
        return self.calls[-1]

    def open(self, call: Call, *, cancels: bool) -> EventStream:
        """As `BackendClient.open`."""
        assert cancels is self.connection.model.cancels
        self.calls.append(call)
        self._tell = asyncio.ensure_future(self._notify())
        return cast(EventStream, self.answer(len(self.calls) - 1))

    async def post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> int:
        """As `BackendClient.post`."""
        self.posts.append(path)
        return self.status

    async def close(self) -> None:
        """As `BackendClient.close`."""

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
