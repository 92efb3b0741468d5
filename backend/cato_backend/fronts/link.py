"""A front's connection to the scheduler's process: calls and their answers, side by side."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import count
from typing import cast

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import ShuttingDown
from cato_backend.fronts.messages import (
    WINDOW_BYTES,
    AnswerBegun,
    AnswerBytes,
    AnswerEnded,
    Ask,
    Cut,
    Draining,
    ErrorFields,
    FromFront,
    Identified,
    Identify,
    Leave,
    Report,
    Settings,
    Stop,
    Taken,
    packed,
    to_bytes,
    to_front,
)
from cato_backend.gateway.drafts import Draft
from cato_backend.gateway.headers import GivenHeaders
from cato_backend.runtime.calls import Sink

Order = Settings | Report | Draining | Cut | Stop
"""Messages about the front itself."""
_KNOWN_S = 10.0
"""A client that was let in may send bodies for so long. Its calls are checked each time."""
_MOST_KNOWN = 10_000
_TOLD_BYTES = WINDOW_BYTES // 4
"""What left for the client is told when it has come to so much."""
_GONE = ErrorFields.of(ShuttingDown("the scheduler's process has ended", retry_after_s=1.0))


class Link(asyncio.Protocol):
    """Sends calls and passes on their answers; gives orders to `on_order`."""

    def __init__(self, on_order: Callable[[Order], None], clock: Clock = monotonic) -> None:
        self.lost = asyncio.Event()
        """The scheduler's process has ended."""
        self._on_order = on_order
        self._clock = clock
        self._unpacker = to_front()
        self._transport: asyncio.WriteTransport | None = None
        self._writable = asyncio.Event()
        self._numbers = count(1)
        self._answers: dict[int, _Answer] = {}
        self._questions: dict[int, asyncio.Future[None]] = {}
        self._known: OrderedDict[str | None, float] = OrderedDict()
        """Until when clients need not be asked about, by what authorizes them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to write."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """End all answers."""
        self._transport = None
        self._writable.set()
        self.lost.set()
        for number in tuple(self._questions):
            self._identified(Identified(number, _GONE))
        for answer in self._answers.values():
            answer.take(AnswerEnded(answer.number, _GONE))

    def pause_writing(self) -> None:
        """Hold calls back: the scheduler's process does not keep up."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let them go."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Give each message to whom it is for."""
        for message in self._unpacker.feed(data):
            if isinstance(message, AnswerBytes | AnswerBegun | AnswerEnded):
                # One that its client has left may still bring something.
                if message.number in self._answers:
                    self._answers[message.number].take(message)
            elif isinstance(message, Identified):
                self._identified(message)
            else:
                self._on_order(message)

    def send(self, message: FromFront) -> None:
        """Send a message; nothing where the scheduler's process has ended."""
        if self._transport is not None:
            self._transport.write(packed(message))

    async def identify(self, authorization: str | None) -> None:
        """Return if a client with this header is let in. Raises RequestError."""
        if self._known.get(authorization, 0.0) > self._clock():
            return
        number = next(self._numbers)
        self._questions[number] = asyncio.get_running_loop().create_future()
        try:
            self._send_or_fail(Identify(number, to_bytes(authorization)))
            await self._questions[number]
        finally:
            del self._questions[number]
        self._known.pop(authorization, None)
        self._known[authorization] = self._clock() + _KNOWN_S
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    async def run(
        self,
        authorization: str | None,
        arrival: float,
        source: bytes,
        given: GivenHeaders,
        draft: Draft,
        sink: Sink,
    ) -> None:
        """Serve a call that arrived then into `sink`. Raises RequestError.

        Cancel the task to end the call.
        """
        await self._writable.wait()
        answer = _Answer(next(self._numbers), sink, self.send)
        self._answers[answer.number] = answer
        try:
            who, age_s = to_bytes(authorization), self._clock() - arrival
            self._send_or_fail(Ask(answer.number, who, age_s, source, given, draft))
            await answer.deliver()
        finally:
            del self._answers[answer.number]
            if not answer.has_ended:
                self.send(Leave(answer.number))

    def _identified(self, message: Identified) -> None:
        question = self._questions.get(message.number)
        if question is None or question.done():
            return
        if message.error is None:
            question.set_result(None)
        else:
            question.set_exception(message.error.error())

    def _send_or_fail(self, message: FromFront) -> None:
        if self._transport is None:
            raise _GONE.error()
        self.send(message)


class _Answer:
    """The answer to one call: its messages in their order."""

    def __init__(self, number: int, sink: Sink, send: Callable[[FromFront], None]) -> None:
        self.number = number
        self.has_ended = False
        self._sink = sink
        self._send = send
        self._held: deque[AnswerBegun | AnswerBytes | AnswerEnded] = deque()
        """What the task has not passed on yet; the first one is under way."""
        self._news = asyncio.Event()
        self._untold = 0

    def take(self, part: AnswerBegun | AnswerBytes | AnswerEnded) -> None:
        """Pass it on at once where that takes no waiting, else leave it to the task."""
        if isinstance(part, AnswerBytes) and not self._held and self._sink.write_now(part.data):
            self._left(len(part.data))
            return
        self.has_ended = self.has_ended or isinstance(part, AnswerEnded)
        self._held.append(part)
        self._news.set()

    async def deliver(self) -> None:
        """Return at the end of the answer. Raises RequestError."""
        while True:
            self._news.clear()
            while self._held:
                part = self._held[0]
                if isinstance(part, AnswerEnded):
                    if part.error is not None:
                        raise part.error.error()
                    return
                if isinstance(part, AnswerBegun):
                    await self._sink.begin(part.started)
                else:
                    await self._sink.write(part.data)
                    self._left(len(part.data))
                self._held.popleft()
            await self._news.wait()

    def _left(self, size: int) -> None:
        self._untold += size
        if self._untold >= _TOLD_BYTES:
            self._send(Taken(self.number, self._untold))
            self._untold = 0
