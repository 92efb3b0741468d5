"""What an error status of a replica means: the client's own fault, or the replica's."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, cast

import orjson

from cato_backend.errors import InvalidRequest, NotFound, RequestError
from cato_backend.runtime.calls import Kind
from cato_backend.runtime.chunks import AttemptBroken

_CLIENT_ERRORS = frozenset({400, 404, 413, 422})
_TOO_MANY_REQUESTS, _UNAVAILABLE = 429, 503
_LONGEST_S = 3600.0


class PromptTooLong(InvalidRequest):
    """The engine counted more tokens than its context holds."""

    code = "context_length_exceeded"


class Busy(AttemptBroken):
    """The replica has no room now. `retry_after_s`: when it wants to be asked again; None where it
    does not say."""

    def __init__(self, text: str, retry_after_s: float | None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def refusal(
    status: int, data: bytes, kind: Kind, retry_after: str = ""
) -> RequestError | AttemptBroken:
    """What a replica's error status means: the client's own fault, or the replica's."""
    if _is_busy(status, data, retry_after):
        return Busy(f"HTTP {status}", _seconds(retry_after))
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


def _is_busy(status: int, data: bytes, retry_after: str) -> bool:
    """429 says so. 503 says it with Retry-After, or with an API's error object (vLLM's where its
    queue is full); without either it is a proxy's, before a server that is gone."""
    if status == _UNAVAILABLE:
        return bool(retry_after) or _is_error_object(data)
    return status == _TOO_MANY_REQUESTS


def _is_error_object(data: bytes) -> bool:
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and "error" in value


def _seconds(retry_after: str) -> float | None:
    """RFC 9110, 10.2.3: seconds, or a date."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            then = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        seconds = (then - datetime.now(then.tzinfo or UTC)).total_seconds()
    return min(_LONGEST_S, max(0.0, seconds)) if isfinite(seconds) else None


def _error_of(data: bytes) -> tuple[str, str | None]:
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data[:200].decode("utf-8", "replace"), None
    body = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    error = body.get("error", body)
    if not isinstance(error, dict):
        return str(error)[:1000], None
    fields = cast("dict[str, object]", error)
    param = fields.get("param")
    return str(fields.get("message", ""))[:1000], param if isinstance(param, str) else None
