"""The form of errors by path: OpenAI's, or Anthropic's below `/v1/messages`."""

from __future__ import annotations

from typing import Any, Protocol

from cato_backend.errors import RequestError
from cato_backend.runtime.replica_errors import PromptTooLong

MESSAGES_PATH = "/v1/messages"
_OVERLOADED = 529
"""Anthropic's status for a service that has no room; its clients come back later."""
_TEXT = {"type": "string"}
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    _OVERLOADED: "overloaded_error",
}


class ErrorForm(Protocol):
    """The form of error responses."""

    name: str
    """Name of the schema of its bodies."""

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its bodies."""
        ...

    def status(self, kind: type[RequestError]) -> int:
        """Return the status of a kind of errors."""
        ...

    def body(self, error: RequestError, request_id: str | None) -> dict[str, Any]:
        """Return the JSON body."""
        ...


class _OpenAI:
    name = "Error"

    @property
    def schema(self) -> dict[str, Any]:
        absent = {"type": ["string", "null"]}
        return _schema({"message": _TEXT, "type": _TEXT, "param": absent, "code": _TEXT}, {})

    def status(self, kind: type[RequestError]) -> int:
        return kind.status

    def body(self, error: RequestError, request_id: str | None) -> dict[str, Any]:
        return error.body()


class _Anthropic:
    name = "MessagesError"

    @property
    def schema(self) -> dict[str, Any]:
        return _schema({"type": _TEXT, "message": _TEXT}, {"type": {"const": "error"}})

    def status(self, kind: type[RequestError]) -> int:
        return _OVERLOADED if kind.status == 503 else kind.status

    def body(self, error: RequestError, request_id: str | None) -> dict[str, Any]:
        status = self.status(type(error))
        kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        told = {"type": kind, "message": _message(error)}
        return {"type": "error", "error": told, "request_id": request_id}


OPENAI: ErrorForm = _OpenAI()
ANTHROPIC: ErrorForm = _Anthropic()


def form_of(path: str) -> ErrorForm:
    """Return the shape of a path's errors."""
    is_messages = path == MESSAGES_PATH or path.startswith(f"{MESSAGES_PATH}/")
    return ANTHROPIC if is_messages else OPENAI


def _schema(error: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a body with these fields of `error`, and these beside it."""
    inner = {"type": "object", "properties": error, "required": list(error)}
    fields = {**beside, "error": inner}
    return {"type": "object", "properties": fields, "required": list(fields)}


def _message(error: RequestError) -> str:
    """Return the error's text. Claude Code shortens its conversation where it begins so."""
    message: str = error.body()["error"]["message"]
    return f"prompt is too long: {message}" if isinstance(error, PromptTooLong) else message
