"""What an error status of a replica means: the client's own fault, or the replica's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import isfinite
from typing import Any, cast

import orjson

from cato_backend.errors import InvalidRequest, NotFound, RequestError
from cato_backend.runtime.calls import ApiKind
from cato_backend.runtime.chunks import AttemptBroken

_CLIENT_ERRORS = frozenset({400, 404, 413, 422})
_KEY_REFUSED = frozenset({401, 403})
_TOO_LONG_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_TOO_LONG = re.compile(r"maximum context length|context (size|window)", re.IGNORECASE)
_LONGEST_S = 3600.0


class PromptTooLong(InvalidRequest):
    """The engine counted more tokens than its context holds."""

    code = "context_length_exceeded"


class Misdirected(AttemptBroken):
    """The replica does not know the model or the key that it was described with.

    `verdict` is what it means where another description finds the replica unchanged.
    """

    def __init__(self, verdict: RequestError | AttemptBroken) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


class Busy(AttemptBroken):
    """The replica has no room now.

    `retry_after_s`: when it wants to be asked again; None where it does not say.
    """

    def __init__(self, text: str, retry_after_s: float | None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def refusal(
    status: int, data: bytes, kind: ApiKind, retry_after: str = ""
) -> RequestError | AttemptBroken:
    """Return what a replica's error status means: the client's own fault, or the replica's."""
    if status in _KEY_REFUSED:
        return Misdirected(AttemptBroken(f"HTTP {status}"))
    if _is_busy(status, data, retry_after):
        return Busy(f"HTTP {status}", _seconds(retry_after))
    if status not in _CLIENT_ERRORS:
        # Its message is not told: it may hold the prompt.
        return AttemptBroken(f"HTTP {status}")
    error = _error_of(data)
    if _is_about_length(error):
        return PromptTooLong(error.message, param="messages" if kind is ApiKind.CHAT else "prompt")
    if _is_about_model(error, status):
        return Misdirected(AttemptBroken(f"HTTP {status}: it does not know its own model's name"))
    if status == HTTPStatus.NOT_FOUND:
        return Misdirected(NotFound(error.message, param=error.param))
    return InvalidRequest(error.message, param=error.param)


def _is_about_length(error: _Error) -> bool:
    return (
        error.param == "input_tokens"
        or not _TOO_LONG_CODES.isdisjoint((error.code, error.type))
        or _TOO_LONG.search(error.message) is not None
    )


def _is_about_model(error: _Error, status: int) -> bool:
    """Return whether the error is about the model's name, which is never the client's."""
    if error.param == "model" or error.code == "model_not_found":
        return True
    return status == HTTPStatus.NOT_FOUND and "model" in error.message.lower()


@dataclass(frozen=True, slots=True)
class _Error:
    message: str
    param: str | None = None
    code: str = ""
    type: str = ""


def _is_busy(status: int, data: bytes, retry_after: str) -> bool:
    """Return whether a replica says that it has no room.

    429 says so, and 503 with Retry-After or an API's error object (vLLM's where its queue is full).
    Any other 503 is a proxy's, before a server that is gone.
    """
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return bool(retry_after) or _is_error_object(data)
    return status == HTTPStatus.TOO_MANY_REQUESTS


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


def _error_of(data: bytes) -> _Error:
    """Return its fields in the form of OpenAI, of FastAPI, or of none."""
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _Error(data[:200].decode("utf-8", "replace"))
    body = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    error = body.get("error") or body
    if not isinstance(error, dict):
        return _Error(str(error)[:1000])
    fields = cast("dict[str, object]", error)
    param = fields.get("param")
    return _Error(
        message=str(fields.get("message") or fields.get("detail") or "")[:1000],
        param=param if isinstance(param, str) else None,
        code=str(fields.get("code") or ""),
        type=str(fields.get("type") or ""),
    )
