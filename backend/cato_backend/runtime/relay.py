"""A replica's reply on its way to the client: within the call that brings it, as a rule."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from cato_backend.runtime.answer import Answer, Relayed
from cato_backend.runtime.chunks import AttemptBroken, believed_tokens, cached_tokens
from cato_backend.runtime.connections import BadReply
from cato_backend.runtime.flight import Flight
from cato_backend.runtime.upstreams import Reply
from cato_backend.wire import sse

_TAIL_S = 1.0
"""For what comes after the finish reason: usage, and the end of the stream."""


class Outlet(Protocol):
    """Where the pieces of an answer go."""

    def take(self, relayed: Relayed) -> bool:
        """Passes a piece on without waiting; False where `settle` must follow before the next."""
        ...

    async def settle(self) -> None:
        """Does for what was taken what cannot be done at once."""
        ...


async def relay_stream(flight: Flight, reply: Reply, outlet: Outlet) -> None:
    """Passes on a stream of events. Raises AttemptBroken, MalformedStream, and as `Reply.pour`."""
    answer = flight.answer
    try:
        await _Pump(answer, outlet).run(reply)
    except (OSError, BadReply, sse.MalformedStream):
        # Whatever breaks after the finish reason takes nothing from the answer.
        if not answer.finished:
            raise
    if not answer.finished and not (answer.done and answer.tokens):
        raise AttemptBroken("its stream ended early")
    if not answer.done and not outlet.take(Relayed(sse.event(sse.DONE))):
        await outlet.settle()


async def relay_whole(flight: Flight, reply: Reply, outlet: Outlet) -> None:
    """Passes on an answer in one piece. Raises AttemptBroken, and as `Reply.read_all`."""
    data = await reply.read_all()
    try:
        value: Any = orjson.loads(data)
        usage: Mapping[str, Any] = value.get("usage") or {}
        prompt, tokens = usage.get("prompt_tokens"), int(usage.get("completion_tokens") or 0)
        cached = cached_tokens(usage)
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError) as error:
        raise AttemptBroken("its answer is no OpenAI object") from error
    if not isinstance(value.get("choices"), list):
        raise AttemptBroken("its answer has no choices")
    flight.answer.prompt_tokens = believed_tokens(prompt)
    flight.answer.cached_tokens = cached
    if not outlet.take(Relayed(data, tokens, flight.answer.prompt_tokens, cached)):
        await outlet.settle()


class _Pump:
    """Moves events from a reply to an outlet."""

    def __init__(self, answer: Answer, outlet: Outlet) -> None:
        self._answer = answer
        self._outlet = outlet
        self._reader = sse.EventReader()
        self._unsettled = False
        self._error: Exception | None = None

    async def run(self, reply: Reply) -> None:
        """To the stream's end. Raises TimeoutError where that is overdue."""
        more = True
        while more:
            async with asyncio.timeout(_TAIL_S if self._answer.finished else None):
                more = await reply.pour(self._take)
            if self._unsettled:
                self._unsettled = False
                await self._outlet.settle()
            if self._error is not None:
                raise self._error

    def _take(self, data: bytes) -> bool:
        """Keeps any error for `run` to raise: whoever calls with the bytes cannot do anything."""
        try:
            self._pass_on(data)
        except Exception as error:  # noqa: BLE001
            self._error = error
        return not (self._unsettled or self._error or self._answer.finished)

    def _pass_on(self, data: bytes) -> None:
        """What one read brought in one piece: a gateway that lags catches up by it."""
        pieces: list[Relayed] = []
        try:
            for event in self._reader.feed(data):
                pieces.append(self._answer.take(event))  # noqa: PERF401 - those before an error count
        finally:
            if pieces and not self._outlet.take(pieces[0] if len(pieces) == 1 else _joined(pieces)):
                self._unsettled = True


def _joined(pieces: list[Relayed]) -> Relayed:
    return Relayed(
        b"".join(piece.data for piece in pieces),
        sum(piece.tokens for piece in pieces),
        next((p.prompt_tokens for p in reversed(pieces) if p.prompt_tokens is not None), None),
        next((p.cached_tokens for p in reversed(pieces) if p.cached_tokens is not None), None),
    )
