"""The tokens in a stream of OpenAI's completion chunks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from cato_lsp.backend.failures import Refused
from cato_lsp.backend.refusals import refused
from cato_lsp.completion.tokens import Token

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream


class Pieces:
    """The tokens of each piece of text, in order, no piece empty. Iterating raises BackendFailure.

    A server need not tell tokens: then a piece counts as one.
    """

    def __init__(self, stream: EventStream) -> None:
        self.truncated = False
        """Whether the answer ended because of its token limit."""
        self.ended = False
        """Whether the model had no more to say, or came to a stop string."""
        self.usage: dict[str, Any] = {}
        """What the engine said it computed, where it came to say it."""
        self._stream = stream
        self._held_back = 0.0
        """Log probability of tokens whose text has not come yet."""

    def __aiter__(self) -> AsyncIterator[list[Token]]:
        return self

    async def __anext__(self) -> list[Token]:
        async for event in self._stream:
            chunk = json_object(event.data)
            if chunk.get("error"):
                raise refused(chunk, status=502)
            usage = chunk.get("usage")
            self.usage = cast("dict[str, Any]", usage) if isinstance(usage, dict) else self.usage
            choices = cast("list[dict[str, Any]]", chunk.get("choices") or [])
            if tokens := self._tokens_of(choices[0] if choices else {}):
                return tokens
        raise StopAsyncIteration

    def _tokens_of(self, choice: dict[str, Any]) -> list[Token]:
        self.truncated = self.truncated or choice.get("finish_reason") == "length"
        self.ended = self.ended or choice.get("finish_reason") == "stop"
        said, text = told_tokens(choice), choice.get("text")
        if not isinstance(text, str) or not text:
            self._held_back += sum(token.logprob or 0 for token in said)
            return []
        if not said:
            return [Token(text)]
        if not self._held_back and "".join(token.text for token in said) == text:
            return said
        # Text that is held back, or a character of several tokens: only all of it together fits.
        whole = self._held_back + sum(token.logprob or 0 for token in said)
        self._held_back = 0.0
        return [Token(text, whole)]


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
    """An event's data as a JSON object. Raises Refused."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Refused("the backend's stream is not JSON", status=200) from error
    if not isinstance(value, dict):
        raise Refused("the backend's stream holds no objects", status=200)
    return cast("dict[str, Any]", value)
