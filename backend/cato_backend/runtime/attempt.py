"""One attempt on one replica: the HTTP request, its stream, and what its failure means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
import orjson

from cato_backend.errors import InvalidRequest, NotFound, RequestError
from cato_backend.prediction.ratio import CharsPerToken
from cato_backend.runtime.answer import Answer, AttemptBroken, Relayed
from cato_backend.runtime.calls import Kind
from cato_backend.runtime.facts import Endpoint, ModelFacts
from cato_backend.runtime.flight import Flight
from cato_backend.runtime.render import Upstream, render
from cato_backend.runtime.resume import can_resume, render_resumed
from cato_backend.wire import sse

Emit: TypeAlias = Callable[[Relayed], Awaitable[None]]
"""Takes each piece of the answer on its way to the client."""

_MOST_OVERFLOWS = 4
_CLIENT_ERRORS = frozenset({400, 404, 413, 422})


class PromptTooLong(InvalidRequest):
    """The engine counted more tokens than its context holds."""

    code = "context_length_exceeded"


class Attempts:
    """Runs attempts over one pool of kept connections."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @staticmethod
    def can_resume(flight: Flight) -> bool:
        """Whether what the client has seen so far can be continued by another replica."""
        return not flight.begun or can_resume(flight.call, flight.answer)

    async def run(
        self,
        flight: Flight,
        endpoint: Endpoint,
        facts: ModelFacts,
        ratio: CharsPerToken,
        emit: Emit,
    ) -> None:
        """Passes the answer to `emit`. Raises AttemptBroken, or RequestError for the client's own.

        A prompt that we cut to fit and that is too long nevertheless is cut shorter and sent again.
        """
        for overflows in range(_MOST_OVERFLOWS + 1):
            upstream = self._render(flight, endpoint, facts, ratio, overflows)
            try:
                await self._send(flight, endpoint, upstream, emit)
            except PromptTooLong:
                if flight.call.infill is None or overflows == _MOST_OVERFLOWS:
                    raise
                continue
            if flight.answer.prompt_tokens is not None:
                ratio.observe(upstream.prompt_chars, flight.answer.prompt_tokens)
            return

    def _render(
        self,
        flight: Flight,
        endpoint: Endpoint,
        facts: ModelFacts,
        ratio: CharsPerToken,
        overflows: int,
    ) -> Upstream:
        first = render(flight.call, facts, endpoint, ratio, overflows)
        if not flight.begun:
            return first
        flight.answer.resume()
        return render_resumed(flight.call, flight.answer, first)

    async def _send(
        self, flight: Flight, endpoint: Endpoint, upstream: Upstream, emit: Emit
    ) -> None:
        headers = {"content-type": "application/json", "x-request-id": flight.call.request.id}
        if endpoint.token:
            headers["authorization"] = f"Bearer {endpoint.token}"
        url = endpoint.url + upstream.path
        data = orjson.dumps(upstream.body)
        try:
            async with self._session.post(url, data=data, headers=headers) as response:
                if response.status != 200:
                    raise refusal(response.status, await response.read(), flight.call.kind)
                relay = _relay_stream if flight.call.streams else _relay_whole
                await relay(flight, response, emit)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise AttemptBroken(f"{type(error).__name__}: {error}") from error
        except sse.MalformedStream as error:
            raise AttemptBroken(f"malformed stream: {error}") from error


async def _relay_stream(flight: Flight, response: aiohttp.ClientResponse, emit: Emit) -> None:
    reader, answer = sse.EventReader(), flight.answer
    try:
        async for chunk in response.content.iter_any():
            await _relay_events(reader.feed(chunk), answer, emit)
    except aiohttp.ClientError:
        # Whatever breaks after the finish reason takes nothing from the answer.
        if not answer.finished:
            raise
    if answer.done:
        return
    if not answer.finished:
        raise AttemptBroken("its stream ended early")
    await emit(Relayed(sse.event(sse.DONE)))


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
    )


async def _relay_whole(flight: Flight, response: aiohttp.ClientResponse, emit: Emit) -> None:
    data = await response.read()
    try:
        usage = orjson.loads(data)["usage"]
        prompt, tokens = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise AttemptBroken(f"its answer is no OpenAI object: {error!r}") from error
    flight.answer.prompt_tokens = prompt
    await emit(Relayed(data, tokens, prompt))


def refusal(status: int, data: bytes, kind: Kind) -> RequestError | AttemptBroken:
    """What a replica's error status means: the client's own fault, or the replica's."""
    message, param = _error_of(data)
    if status not in _CLIENT_ERRORS:
        return AttemptBroken(f"HTTP {status}: {message}")
    field = "messages" if kind is Kind.CHAT else "prompt"
    if param == "input_tokens":
        return PromptTooLong(message, param=field)
    if status == 404:
        return NotFound(message, param=param)
    return InvalidRequest(message, param=param)


def _error_of(data: bytes) -> tuple[str, str | None]:
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data[:200].decode("utf-8", "replace"), None
    error = value.get("error", value) if isinstance(value, dict) else {}
    if not isinstance(error, dict):
        return str(error)[:1000], None
    param = error.get("param")
    return str(error.get("message", ""))[:1000], param if isinstance(param, str) else None
