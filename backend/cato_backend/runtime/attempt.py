"""One attempt on one replica: the HTTP request, its stream, and what its failure means."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from cato_backend.runtime.answer import Answer, Relayed
from cato_backend.runtime.chunks import AttemptBroken, believed_tokens, cached_tokens
from cato_backend.runtime.connections import BadReply
from cato_backend.runtime.facts import Endpoint, Leg
from cato_backend.runtime.flight import Flight
from cato_backend.runtime.render import Upstream, render
from cato_backend.runtime.replica_errors import PromptTooLong, refusal
from cato_backend.runtime.resume import can_resume, render_resumed
from cato_backend.runtime.upstreams import Reply, Upstreams
from cato_backend.wire import sse

Emit: TypeAlias = Callable[[Relayed], Awaitable[None]]
"""Takes each piece of the answer on its way to the client."""

_MOST_OVERFLOWS = 4
_TAIL_S = 1.0
"""For what comes after the finish reason: usage, and the end of the stream."""
_FEWEST_CHARS, _MOST_CHARS = 0.3, 30.0
"""Per token, of any prompt."""


class Unreachable(AttemptBroken):
    """Connections are refused: the replica is not there for anybody."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a replica may send nothing before its attempt is broken off, in seconds."""

    stream_s: float = 120.0
    """Between two pieces of a stream, and before the first."""
    whole_s: float = 1800.0
    """For an answer that comes in one piece."""


class Attempts:
    """Runs attempts over one pool of kept connections."""

    def __init__(self, upstreams: Upstreams, patience: Patience | None = None) -> None:
        self._upstreams = upstreams
        self._patience = patience or Patience()

    @staticmethod
    def can_resume(flight: Flight) -> bool:
        """Whether what the client has seen so far can be continued by another replica."""
        return not flight.begun or can_resume(flight.call, flight.answer)

    async def run(
        self,
        flight: Flight,
        leg: Leg,
        emit: Emit,
    ) -> None:
        """Passes the answer to `emit`. Raises AttemptBroken, or RequestError for the client's own.

        A prompt that we cut to fit and that is too long nevertheless is cut shorter and sent again.
        """
        for overflows in range(_MOST_OVERFLOWS + 1):
            upstream = self._render(flight, leg, overflows)
            try:
                await self._send(flight, leg.endpoint, upstream, emit)
            except PromptTooLong:
                if flight.call.infill is None or overflows == _MOST_OVERFLOWS:
                    raise
                continue
            _learn_ratio(leg, upstream.prompt_chars, flight.answer.prompt_tokens)
            return

    def _render(self, flight: Flight, leg: Leg, overflows: int) -> Upstream:
        first = render(flight.call, leg, overflows)
        if not flight.begun:
            flight.start_over()
            return first
        if not can_resume(flight.call, flight.answer):
            raise AttemptBroken("what was sent cannot be continued")
        return render_resumed(flight.call, flight.answer, first, leg.facts.max_model_len)

    async def _send(
        self, flight: Flight, endpoint: Endpoint, upstream: Upstream, emit: Emit
    ) -> None:
        headers = {"x-request-id": flight.call.request.id}
        if endpoint.token:
            headers["authorization"] = f"Bearer {endpoint.token}"
        url = endpoint.url + upstream.path
        data = orjson.dumps(upstream.body)
        streams = flight.call.streams
        silence_s = self._patience.stream_s if streams else self._patience.whole_s
        relay = _relay_stream if streams else _relay_whole
        try:
            reply = await self._upstreams.post(url, data, headers, silence_s)
            try:
                if reply.status != 200:
                    raise refusal(reply.status, await reply.read_all(), flight.call.kind)
                await relay(flight, reply, emit)
            finally:
                reply.release()
        except ConnectionRefusedError as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        except (OSError, BadReply) as error:
            raise AttemptBroken(f"{type(error).__name__}: {error}") from error
        except sse.MalformedStream as error:
            raise AttemptBroken(f"malformed stream: {error}") from error


def _learn_ratio(leg: Leg, chars: int, tokens: int | None) -> None:
    """Unless the count is a lie: no tokenizer makes a hundred tokens of a character."""
    if tokens and _FEWEST_CHARS <= chars / tokens <= _MOST_CHARS:
        leg.ratio.observe(chars, tokens)


async def _relay_stream(flight: Flight, reply: Reply, emit: Emit) -> None:
    reader, answer = sse.EventReader(), flight.answer
    try:
        while chunk := await _read(reply, answer):
            await _relay_events(reader.feed(chunk), answer, emit)
    except (OSError, BadReply, sse.MalformedStream):
        # Whatever breaks after the finish reason takes nothing from the answer.
        if not answer.finished:
            raise
    if not answer.finished and not (answer.done and answer.tokens):
        raise AttemptBroken("its stream ended early")
    if not answer.done:
        await emit(Relayed(sse.event(sse.DONE)))


async def _read(reply: Reply, answer: Answer) -> bytes:
    """The next bytes; empty at the end. Raises TimeoutError where an end is overdue."""
    if not answer.finished:
        return await reply.read()
    async with asyncio.timeout(_TAIL_S):
        return await reply.read()


async def _relay_events(events: list[sse.Event], answer: Answer, emit: Emit) -> None:
    """Passes on what one read brought in one piece: a gateway that lags catches up by it."""
    pieces: list[Relayed] = []
    try:
        for event in events:
            pieces.append(answer.take(event))  # noqa: PERF401 - what came before an error counts
    finally:
        if pieces:
            await emit(_joined(pieces))


def _joined(pieces: list[Relayed]) -> Relayed:
    if len(pieces) == 1:
        return pieces[0]
    return Relayed(
        b"".join(piece.data for piece in pieces),
        sum(piece.tokens for piece in pieces),
        next((p.prompt_tokens for p in reversed(pieces) if p.prompt_tokens is not None), None),
        next((p.cached_tokens for p in reversed(pieces) if p.cached_tokens is not None), None),
    )


async def _relay_whole(flight: Flight, reply: Reply, emit: Emit) -> None:
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
    await emit(Relayed(data, tokens, flight.answer.prompt_tokens, cached))
