"""What streams hold: the tokens of completion chunks, and the events of whole tasks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from cato_backend.wire.headers import CancelReason
from cato_backend.wire.sse import ERROR
from cato_backend.wire.tasks import TaskEvent
from cato_lsp.backend.failures import Refused, TimedOut, Unreachable, refused
from cato_lsp.completion.reuse import Token

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream

_LEAST_PATIENCE_S = 300.0


class TokenStream:
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
    """Return the first choice of a chunk; empty if it has none, or null in its place."""
    choices = chunk.get("choices")
    listed = cast("list[object]", choices) if isinstance(choices, list) else []
    choice = listed[0] if listed else None
    return cast("dict[str, Any]", choice) if isinstance(choice, dict) else {}


def told_tokens(choice: dict[str, Any]) -> list[Token]:
    """Return the tokens with their log probabilities, as far as the choice tells them."""
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
    """Return an event's data as a JSON object, empty for `null`. Raises Refused."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Refused("the backend's stream is not JSON", status=200) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("the backend's stream holds no objects", status=200)
    return cast("dict[str, Any]", value)


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far a task is.

    `estimate_ms` is when its end is expected, counted from its beginning, and `target_ms` is when
    it is due. Each is None where the backend does not say.
    """

    state: str
    done: int = 0
    total: int = 0
    estimate_ms: int | None = None
    target_ms: int | None = None

    @property
    def percentage(self) -> int | None:
        """Calls that are done, of all; None where that is not known."""
        return min(100 * self.done // self.total, 100) if self.total > 0 else None

    @property
    def text(self) -> str:
        """For people, such as `waiting, about 4 s (its target is 3 s)`."""
        parts = [self.state]
        if self.total > 1:
            parts.append(f"{self.done} of {self.total}")
        if self.estimate_ms is not None and self.target_ms is not None:
            late = self.estimate_ms > self.target_ms
            target = f" (its target is {_seconds(self.target_ms)})" if late else ""
            parts.append(f"about {_seconds(self.estimate_ms)}{target}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class UnitAnswer:
    """The part of one unit; `problem`: why it, or a part of it, failed, empty where it did not."""

    name: str
    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """The result of a task."""

    text: str
    units: tuple[UnitAnswer, ...] = ()
    met: bool = True
    """Whether it came within its target."""


class Listener(Protocol):
    """Who is told what the backend says of a task that it works on."""

    def report(self, progress: TaskProgress) -> None:
        """Take a report of how far the work is."""
        ...

    def delta(self, text: str, unit: int | None) -> None:
        """Take a piece of the unit of this index; None: of what is said about all of them."""
        ...

    def restart(self, text: str) -> None:
        """Discard the pieces so far, but for those that `text` consists of."""
        ...


def patience_s(budget_s: float) -> float:
    """Return after how many seconds a task that has not ended is given up, far behind its budget.

    Slow hardware has longer budgets.
    """
    return max(_LEAST_PATIENCE_S, 2 * budget_s)


async def outcome_of(stream: EventStream, listener: Listener, longest_s: float) -> TaskAnswer:
    """Read the stream to its end and return the result. Raises BackendFailure.

    The stream is ended in any case, after `longest_s` without a result.
    """
    try:
        async with asyncio.timeout(longest_s):
            return await _result(stream, listener)
    except TimeoutError as error:
        raise TimedOut(f"no result within {longest_s:.0f} s") from error
    finally:
        stream.cancel(CancelReason.CLOSED)


async def _result(stream: EventStream, listener: Listener) -> TaskAnswer:
    async for event in stream:
        data = json_object(event.data)
        if event.name == TaskEvent.RESULT:
            return _answer(data)
        if event.name == TaskEvent.ERROR or data.get("error"):
            raise refused(data, status=502)
        if event.name == TaskEvent.DELTA:
            listener.delta(str(data.get("text") or ""), _count(data, "unit"))
        elif event.name == TaskEvent.RESTART:
            listener.restart(str(data.get("text") or ""))
        elif event.name == TaskEvent.PROGRESS:
            listener.report(_progress(data))
    raise Refused("the task ended without a result", status=200)


def _answer(data: dict[str, Any]) -> TaskAnswer:
    listed = data.get("units")
    units = cast("list[object]", listed) if isinstance(listed, list) else []
    return TaskAnswer(
        str(data.get("text", "")),
        tuple(_unit(cast("dict[str, Any]", unit)) for unit in units if isinstance(unit, dict)),
        data.get("met") is not False,
    )


def _unit(data: dict[str, Any]) -> UnitAnswer:
    problem = data.get("problem")
    said = cast("dict[str, Any]", problem) if isinstance(problem, dict) else {}
    return UnitAnswer(
        str(data.get("name", "")), str(data.get("text", "")), str(said.get("message") or "")
    )


def _progress(data: dict[str, Any]) -> TaskProgress:
    return TaskProgress(
        str(data.get("state", "")),
        _count(data, "done") or 0,
        _count(data, "total") or 0,
        _count(data, "estimate_ms"),
        _count(data, "target_ms"),
    )


def _count(data: dict[str, Any], name: str) -> int | None:
    value = data.get(name)
    return value if isinstance(value, int) and value >= 0 else None


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 10_000 else f"{milliseconds // 1000} s"
