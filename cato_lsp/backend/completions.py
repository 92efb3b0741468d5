"""The text in a stream of OpenAI's completion chunks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from cato_lsp.backend.failures import Refused
from cato_lsp.backend.refusals import refused

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream


class Pieces:
    """The pieces of text, in order, none of them empty. Iterating raises BackendFailure."""

    def __init__(self, stream: EventStream) -> None:
        self.truncated = False
        """Whether the answer ended because of its token limit."""
        self.usage: dict[str, Any] = {}
        """What the engine said it computed, where it came to say it."""
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        async for event in self._stream:
            chunk = json_object(event.data)
            if "error" in chunk:
                raise refused(chunk, status=502)
            usage = chunk.get("usage")
            self.usage = cast("dict[str, Any]", usage) if isinstance(usage, dict) else self.usage
            choices = cast("list[dict[str, Any]]", chunk.get("choices") or [])
            if text := self._text_of(choices[0] if choices else {}):
                return text
        raise StopAsyncIteration

    def _text_of(self, choice: dict[str, Any]) -> str:
        self.truncated = self.truncated or choice.get("finish_reason") == "length"
        text = choice.get("text")
        return text if isinstance(text, str) else ""


def json_object(data: str) -> dict[str, Any]:
    """An event's data as a JSON object. Raises Refused."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Refused("the backend's stream is not JSON", status=200) from error
    if not isinstance(value, dict):
        raise Refused("the backend's stream holds no objects", status=200)
    return cast("dict[str, Any]", value)
