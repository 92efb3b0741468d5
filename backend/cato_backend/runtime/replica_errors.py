"""What an error status of a replica means: the client's own fault, or the replica's."""

from __future__ import annotations

from typing import Any, cast

import orjson

from cato_backend.errors import InvalidRequest, NotFound, RequestError
from cato_backend.runtime.calls import Kind
from cato_backend.runtime.chunks import AttemptBroken

_CLIENT_ERRORS = frozenset({400, 404, 413, 422})


class PromptTooLong(InvalidRequest):
    """The engine counted more tokens than its context holds."""

    code = "context_length_exceeded"


def refusal(status: int, data: bytes, kind: Kind) -> RequestError | AttemptBroken:
    """What a replica's error status means: the client's own fault, or the replica's."""
    if status not in _CLIENT_ERRORS:
        # Its message is not told: it may hold the prompt.
        return AttemptBroken(f"HTTP {status}")
    message, param = _error_of(data)
    field = "messages" if kind is Kind.CHAT else "prompt"
    if param == "input_tokens":
        return PromptTooLong(message, param=field)
    if status == 404:
        return NotFound(message, param=param)
    return InvalidRequest(message, param=param)


def _error_of(data: bytes) -> tuple[str, str | None]:
    """The message and the name of the field, in the form of OpenAI, of FastAPI, or of none."""
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data[:200].decode("utf-8", "replace"), None
    body = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    error = body.get("error") or body
    if not isinstance(error, dict):
        return str(error)[:1000], None
    fields = cast("dict[str, object]", error)
    param = fields.get("param")
    message = str(fields.get("message") or fields.get("detail") or "")
    return message[:1000], param if isinstance(param, str) else None
