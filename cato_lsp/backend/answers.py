"""The content of streams: the tokens of completion chunks, and the events of whole tasks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from cato_backend.wire.sse import ERROR
from cato_lsp.backend.failures import Refused, Unreachable, refused
from cato_lsp.completion.reuse import Token

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream


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
        """The usage that the engine reported, where the stream got so far."""
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


async def further_texts(stream: EventStream) -> AsyncIterator[list[tuple[int, str]]]:
    """Yield the pieces of several answers that come in one stream, each with its answer's number.

    Raises BackendFailure.
    """
    async for event in stream:
        chunk = json_object(event.data)
        if event.name == ERROR or chunk.get("error"):
            raise refused(chunk, status=502)
        pieces = [
            (index, text)
            for choice in _choices(chunk)
            if isinstance(text := choice.get("text"), str) and text
            if isinstance(index := choice.get("index", 0), int)
        ]
        if pieces:
            yield pieces


def _choices(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    listed = chunk.get("choices")
    choices = cast("list[object]", listed) if isinstance(listed, list) else []
    return [cast("dict[str, Any]", choice) for choice in choices if isinstance(choice, dict)]


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
