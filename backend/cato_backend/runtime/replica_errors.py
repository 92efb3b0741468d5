"""Errors that replicas report instead of an answer: an error status, or a failure after status 200.

Of failures inside an answer servers agree on no form: an error object in OpenAI's place or in one
of their own, an event that is named `error`, or a `finish_reason` that no model produces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
from cato_backend.wire import sse

_FAILURE = re.compile(
    r"error|abort|cancel|fail|timed?.?out|interrupt|insufficient|evict|preempt|shut.?down"
    r"|unavailable|overload|exception|killed|crash|disconnect",
    re.IGNORECASE,
)
_USUAL_WORDS = frozenset({"stop", "length", "tool_calls", sse.MESSAGE})
"""No failures: nearly every answer has two of them."""
_ERROR_FIELDS = (
    *("error", "errors", "error_code", "error_message", "exception", "traceback"),
    *("detail", "message", "msg"),
)
"""Of an object that is no chunk. FastAPI says `detail`, vLLM before 0.11 and LMDeploy `message`."""
_STATUS_FIELDS = ("code", "status", "status_code", "http_status")
_KIND_FIELDS = ("object", "type", "status", "code")
_CLIENT_ERRORS = frozenset({400, 404, 413, 422})
_KEY_REFUSED = frozenset({401, 403})
_TOO_LONG_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_TOO_LONG = re.compile(r"maximum context length|context (size|window)", re.IGNORECASE)
_LONGEST_S = 3600.0


class ErrorInAnswer(AttemptBroken):
    """The replica sent an error instead of its answer, or of the rest of it."""

    def __init__(self, status: int | None, body: bytes) -> None:
        # Its message is not told: it may hold the prompt.
        super().__init__(f"an error in its answer{f' ({status})' if status else ''}")
        self.status = status
        """As HTTP would have had it; None where the error does not tell."""
        self.body = body


def error_in(value: Mapping[str, Any]) -> ErrorInAnswer:
    """Return the error that an object tells of."""
    return ErrorInAnswer(_status(value), orjson.dumps(value))


def error_of_event(data: str) -> ErrorInAnswer:
    """Return the error that an event of that name tells of, whatever its data is."""
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = data
    return error_in(cast("dict[str, Any]", value) if isinstance(value, dict) else {"error": value})


def is_error(value: Mapping[str, Any]) -> bool:
    """Return whether an object that has neither choices nor usage reports an error."""
    if any(value.get(field) not in (None, False, "") for field in _ERROR_FIELDS):
        return True
    kinds = (value.get(field) for field in _KIND_FIELDS)
    return _status(value) is not None or any(isinstance(k, str) and is_failure(k) for k in kinds)


def is_failure(word: str) -> bool:
    """Return whether a `finish_reason`, or an event's name, says that the answer was broken off.

    vLLM says `abort` when an engine is stopped or put to sleep, DeepSeek
    `insufficient_system_resource`. What only names another way of stopping (`eos_token`,
    `content_filter`) is an end.
    """
    return word not in _USUAL_WORDS and _FAILURE.search(word) is not None


def check_choice(choice: Mapping[str, Any]) -> None:
    """Raise AttemptBroken where a choice was broken off by the server."""
    if choice.get("error"):
        raise error_in({"error": choice["error"]})
    reason = choice.get("finish_reason")
    if reason and is_failure(reason):
        raise AttemptBroken(f"its answer ended with finish_reason {reason[:40]!r}")


def _status(value: Mapping[str, Any]) -> int | None:
    error = value.get("error")
    for part in (value, cast("dict[str, Any]", error) if isinstance(error, dict) else {}):
        for field in _STATUS_FIELDS:
            status = part.get(field)
            if isinstance(status, str) and status.isdecimal():
                status = int(status)
            if isinstance(status, int) and 400 <= status < 600:
                return status
    return None


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
