"""What streams hold: the tokens of completion chunks, and the events of whole tasks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Protocol, cast

from cato_backend.wire.headers import CancelReason
from cato_backend.wire.sse import ERROR
from cato_backend.wire.tasks import TaskEvent
from cato_lsp.backend.failures import Refused, TimedOut, Unreachable, refused
from cato_lsp.completion.tokens import Token

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream
LONGEST_TASK_S = 300.0
"""After this a task that has not ended is given up, far behind any target."""


class Pieces:
    """The tokens of each piece of text, in order, no piece empty. Iterating raises BackendFailure.

    A server need not tell tokens: then a piece counts as one.
    """

    def __init__(self, stream: EventStream) -> None:
        self.finished = False
        """Whether the answer came to its end, whatever ended it."""
        self.truncated = False
        """Whether the answer ended because of its token limit."""
        self.ended = False
        """Whether the model had no more to say, or came to a stop string."""
        self.usage: dict[str, Any] = {}
        """What the engine said it computed, where it came to say it."""
        self._stream = stream
        self._has_text = False
        self._held_back = 0.0
        """Log probability of tokens whose text has not come yet."""

    def __aiter__(self) -> AsyncIterator[list[Token]]:
        return self

    async def __anext__(self) -> list[Token]:
        async for event in self._stream:
            chunk = json_object(event.data)
            if event.name == ERROR or chunk.get("error"):
                raise refused(chunk, status=502)
            usage = chunk.get("usage")
            self.usage = cast("dict[str, Any]", usage) if isinstance(usage, dict) else self.usage
            if tokens := self._tokens_of(_first_choice(chunk)):
                return tokens
        if not (self.finished or self._has_text):
            # A proxy's empty page, or a server that broke off: that is no answer.
            raise Unreachable("the backend's answer ended before it began")
        raise StopAsyncIteration

    def _tokens_of(self, choice: dict[str, Any]) -> list[Token]:
        reason = choice.get("finish_reason")
        self.finished = self.finished or isinstance(reason, str)
        self.truncated = self.truncated or reason == "length"
        self.ended = self.ended or reason == "stop"
        said, text = told_tokens(choice), choice.get("text")
        if not isinstance(text, str) or not text:
            self._held_back += sum(token.logprob or 0 for token in said)
            return []
        self._has_text = True
        if not said:
            return [Token(text)]
        if not self._held_back and "".join(token.text for token in said) == text:
            return said
        # Text that is held back, or a character of several tokens: only all of it together fits.
        whole = self._held_back + sum(token.logprob or 0 for token in said)
        self._held_back = 0.0
        return [Token(text, whole)]


def _first_choice(chunk: dict[str, Any]) -> dict[str, Any]:
    """The first choice of a chunk; empty where it has none, as with `null` in its place."""
    choices = chunk.get("choices")
    listed = cast("list[object]", choices) if isinstance(choices, list) else []
    choice = listed[0] if listed else None
    return cast("dict[str, Any]", choice) if isinstance(choice, dict) else {}


def told_tokens(choice: dict[str, Any]) -> list[Token]:
    """The tokens with their log probabilities, as far as a choice tells them."""
    logprobs = choice.get("logprobs")
    told = cast("dict[str, Any]", logprobs) if isinstance(logprobs, dict) else {}
    texts, values = told.get("tokens"), told.get("token_logprobs")
    if not isinstance(texts, list) or not isinstance(values, list):
        return []
    pairs = zip(cast("list[object]", texts), cast("list[object]", values), strict=False)
    return [
        Token(str(text), float(value) if isinstance(value, int | float) else 0.0)
        for text, value in pairs
    ]


def json_object(data: str) -> dict[str, Any]:
    """An event's data as a JSON object; empty for `null`. Raises Refused."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Refused("the backend's stream is not JSON", status=200) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("the backend's stream holds no objects", status=200)
    return cast("dict[str, Any]", value)


class Listener(Protocol):
    """Who is told how a task gets on: an editor's progress, a terminal."""

    def report(self, message: str, percentage: int | None) -> None:
        """The work goes on."""
        ...

    def delta(self, text: str) -> None:
        """A piece of the result."""
        ...

    def restart(self, text: str) -> None:
        """The pieces so far are void; the result begins with `text`."""
        ...


async def outcome_of(stream: EventStream, listener: Listener) -> str:
    """The text of the result. Ends the stream in any case. Raises BackendFailure."""
    try:
        async with asyncio.timeout(LONGEST_TASK_S):
            return await _result(stream, listener)
    except TimeoutError as error:
        raise TimedOut(f"no result within {LONGEST_TASK_S:.0f} s") from error
    finally:
        stream.cancel(CancelReason.CLOSED)


async def _result(stream: EventStream, listener: Listener) -> str:
    async for event in stream:
        data = json_object(event.data)
        if event.name == TaskEvent.RESULT:
            return str(data.get("text", ""))
        if event.name == TaskEvent.ERROR or data.get("error"):
            raise refused(data, status=502)
        if event.name == TaskEvent.DELTA:
            listener.delta(str(data.get("text", "")))
        elif event.name == TaskEvent.RESTART:
            listener.restart(str(data.get("text", "")))
        elif event.name == TaskEvent.PROGRESS:
            listener.report(str(data.get("state", "")), _percentage(data))
    raise Refused("the task ended without a result", status=200)


def _percentage(progress: dict[str, Any]) -> int | None:
    done, total = progress.get("done"), progress.get("total")
    if not isinstance(done, int) or not isinstance(total, int) or total <= 0:
        return None
    return min(100 * done // total, 100)
