"""The text in a stream of OpenAI's completion chunks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

from cato_lsp.backend.failures import Refused
from cato_lsp.backend.refusals import refused

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream


async def pieces(stream: EventStream) -> AsyncGenerator[str, None]:
    """The pieces of text, in order, none of them empty. Raises BackendFailure."""
    async for event in stream:
        chunk = json_object(event.data)
        if "error" in chunk:
            raise refused(chunk, status=502)
        choices = cast("list[dict[str, Any]]", chunk.get("choices") or [])
        text = choices[0].get("text") if choices else None
        if isinstance(text, str) and text:
            yield text


def json_object(data: str) -> dict[str, Any]:
    """An event's data as a JSON object. Raises Refused."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Refused("the backend's stream is not JSON", status=200) from error
    if not isinstance(value, dict):
        raise Refused("the backend's stream holds no objects", status=200)
    return cast("dict[str, Any]", value)
