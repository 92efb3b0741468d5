"""A replica's reply on its way to the client, as a stream or in one piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import orjson

from cato_backend.http1.connections import BadReply, Silence
from cato_backend.http1.upstreams import Reply
from cato_backend.runtime.answer import Answer, Relayed
from cato_backend.runtime.chunks import AttemptBroken, believed_tokens, cached_tokens
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.replica_errors import check_choice, error_in, is_error
from cato_backend.wire import sse

_TAIL_S = 1.0
"""For the end of a stream, after the finish reason."""
_USAGE_S = 10.0
"""And for the usage before it, where the client asked for it."""


def whole_answer(data: bytes, content_type: str) -> Relayed:
    """Return the answer with its token counts. Raises AttemptBroken where it is none or was cut."""
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise AttemptBroken(f"its answer is no JSON ({content_type})") from error
    try:
        return _checked(value, data)
    except (AttributeError, TypeError, ValueError) as error:
        raise AttemptBroken("its answer is no OpenAI object") from error


def _checked(value: Mapping[str, Any], data: bytes) -> Relayed:
    choices: object = value.get("choices")
    if value.get("error") or not choices:
        if is_error(value):
            raise error_in(value)
        raise AttemptBroken("its answer has no choices")
    if not isinstance(choices, list):
        raise AttemptBroken("its choices are no list")
    for choice in cast("list[Mapping[str, Any]]", choices):
        check_choice(choice)
    usage: Mapping[str, Any] = value.get("usage") or {}
    tokens = int(usage.get("completion_tokens") or 0)
    prompt_tokens = believed_tokens(usage.get("prompt_tokens"))
    return Relayed(data, tokens, prompt_tokens, cached_tokens(usage), shows=True)


class Outlet(Protocol):
    """The receiver of the pieces of an answer."""

    def take(self, relayed: Relayed) -> bool:
        """Pass a piece on without waiting; False where `settle` must follow before the next."""
        ...

    async def settle(self) -> None:
        """Do for what was taken what cannot be done at once."""
        ...


async def relay_stream(flight: InFlightRequest, reply: Reply, outlet: Outlet) -> None:
    """Pass on a stream of events. Raises AttemptBroken, MalformedStream, and as `Reply.pour`."""
    answer = flight.answer
    try:
        await _Pump(answer, outlet, reply.silence_s).run(reply)
    except (OSError, BadReply, sse.MalformedStream, AttemptBroken):
        # Whatever breaks after the finish reason takes nothing from the answer.
        if not answer.over:
            raise
    if not answer.done and not outlet.take(Relayed(sse.event(sse.DONE))):
        await outlet.settle()


async def relay_whole(flight: InFlightRequest, reply: Reply, outlet: Outlet) -> None:
    """Pass on an answer in one piece. Raises AttemptBroken, and as `Reply.read_all`."""
    relayed = whole_answer(await reply.read_all(), reply.content_type)
    flight.answer.prompt_tokens = relayed.prompt_tokens
    flight.answer.cached_tokens = relayed.cached_tokens
    flight.answer.tokens_at_once = relayed.tokens
    if not outlet.take(relayed):
        await outlet.settle()


class _Pump:
    """Moves events from a reply to an outlet."""

    def __init__(self, answer: Answer, outlet: Outlet, silence_s: float) -> None:
        self._answer = answer
        self._outlet = outlet
        self._silence_s = silence_s
        self._clock = asyncio.get_running_loop().time
        self._spoke = False
        """Whether a token has come, in this attempt."""
        self._quiet_since: float | None = None
        """When the first of those reads came that have brought no token since the last one."""
        self._reader = sse.EventReader()
        self._has_events = False
        self._unsettled = False
        self._error: Exception | None = None

    async def run(self, reply: Reply) -> None:
        """To the stream's end.

        Raises AttemptBroken where the answer is not whole then, and TimeoutError where the end is
        overdue.
        """
        answer, more = self._answer, True
        while more and not answer.over:
            more = await reply.pour(self._take)
            if self._unsettled or self._error is not None:
                await self._settle()
        if not answer.over:
            await self._end(reply)
        if more and answer.awaits_usage:
            more = await self._move(reply, _USAGE_S, lambda: not answer.awaits_usage)
        if more:
            await self._move(reply, _TAIL_S, lambda: False)

    async def _move(self, reply: Reply, limit_s: float, reached: Callable[[], bool]) -> bool:
        """Move events until that is reached, or the reply has ended; whether more may come.

        Raises TimeoutError where that takes longer than `limit_s`.
        """
        ends_at = self._clock() + limit_s
        more = True
        while more and not reached():
            more = await reply.pour(self._take, ends_at - self._clock())
            await self._settle()
        return more

    async def _end(self, reply: Reply) -> None:
        """Record that the reply has ended before its answer was whole, or so it seems."""
        self._relay(self._reader.end())
        await self._settle()
        if not self._has_events:
            raise AttemptBroken(f"it sent no event ({reply.content_type})")
        if not self._answer.over:
            raise AttemptBroken("its stream ended early")

    async def _settle(self) -> None:
        if self._unsettled:
            self._unsettled = False
            await self._outlet.settle()
        if self._error is not None:
            raise self._error

    def _take(self, data: bytes) -> bool:
        """Keep any error for `run` to raise: the caller that has the bytes cannot act on it."""
        try:
            self._relay(self._reader.feed(data))
        except Exception as error:  # noqa: BLE001
            self._error = error
        return not (self._unsettled or self._error or self._answer.over)

    def _relay(self, events: list[sse.Event]) -> None:
        """Take what one read brought in one piece: a gateway that lags catches up by it."""
        if len(events) == 1 and not self._answer.done:
            self._pass_on(self._answer.take(events[0]))
        else:
            self._pass_on_all(events)

    def _pass_on_all(self, events: list[sse.Event]) -> None:
        pieces: list[Relayed] = []
        try:
            for event in events:
                if self._answer.done:
                    break
                pieces.append(self._answer.take(event))
        except BaseException:
            if pieces and not self._outlet.take(_joined(pieces)):  # What came before it counts.
                self._unsettled = True
            raise
        if pieces:
            self._pass_on(_joined(pieces))
        elif self._spoke:
            self._check_stalled()

    def _pass_on(self, relayed: Relayed) -> None:
        if not self._outlet.take(relayed):
            self._unsettled = True
        self._has_events = True
        if relayed.tokens:
            self._spoke, self._quiet_since = True, None
        elif self._spoke:
            self._check_stalled()

    def _check_stalled(self) -> None:
        """Check for a standstill: comments keep a stream alive before its first token only."""
        now = self._clock()
        if self._quiet_since is None:
            self._quiet_since = now
        if now - self._quiet_since > self._silence_s and not self._answer.over:
            raise Silence(f"no token came for {self._silence_s:g} s")


def _joined(pieces: list[Relayed]) -> Relayed:
    """Return all in one; of counts that several tell, the last one."""
    total, latest_prompt, latest_cached, any_shows = 0, None, None, False
    for _, tokens, prompt, cached, shows in pieces:
        total += tokens
        if prompt is not None:
            latest_prompt = prompt
        if cached is not None:
            latest_cached = cached
        any_shows = any_shows or shows
    data = b"".join([piece.data for piece in pieces])
    return Relayed(data, total, latest_prompt, latest_cached, any_shows)
