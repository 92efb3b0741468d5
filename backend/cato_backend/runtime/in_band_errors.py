"""Failures that a replica reports inside an answer which began with status 200.

Servers agree on no form: an error object in OpenAI's place or in one of their own, an event that is
named `error`, or a `finish_reason` that no model produces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

from cato_backend.runtime.chunks import AttemptBroken

_FAILURE = re.compile(
    r"error|abort|cancel|fail|timed?.?out|interrupt|insufficient|evict|preempt|shut.?down"
    r"|unavailable|overload|exception|killed|crash|disconnect",
    re.IGNORECASE,
)
_ERROR_FIELDS = (
    *("error", "errors", "error_code", "error_message", "exception", "traceback"),
    *("detail", "message", "msg"),
)
"""Of an object that is no chunk. FastAPI says `detail`, vLLM before 0.11 and LMDeploy `message`."""
_STATUS_FIELDS = ("code", "status", "status_code", "http_status")
_KIND_FIELDS = ("object", "type", "status", "code")


class ErrorInAnswer(AttemptBroken):
    """The replica sent an error in place of its answer, or of the rest of it."""

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
    """Return whether an object that has neither choices nor usage tells of an error."""
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
    return _FAILURE.search(word) is not None


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
