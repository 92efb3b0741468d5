"""The base of errors of one HTTP request, and errors that the request itself causes."""

from __future__ import annotations

from typing import Any, ClassVar

from cato_backend.errors.base import CatoError


class RequestError(CatoError):
    """A failed request, with the fields of OpenAI's error object."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal_error"
    code: ClassVar[str] = "internal_error"
    retry_after_s: float | None = None
    """When the same request may be sent again; None where that would not help."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        return {
            "error": {
                # A path or a header may hold bytes that are no text, and would be no JSON.
                "message": self.message.encode(errors="replace").decode(),
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class InvalidRequest(RequestError):
    """A field of the request cannot be used; `param` names it."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class BodyTooLarge(InvalidRequest):
    """The body is larger than the configured limit."""

    status = 413
    code = "request_too_large"


class UnsupportedEncoding(InvalidRequest):
    """The server does not decode the body's content encoding."""

    status = 415
    code = "unsupported_content_encoding"


class ExpectationFailed(InvalidRequest):
    """The `Expect` header asks for something other than 100-continue."""

    status = 417
    code = "expectation_failed"


class RequestTimeout(InvalidRequest):
    """Head or body of the request took too long to arrive."""

    status = 408
    code = "request_timeout"


class NotFound(RequestError):
    """No such path, model or request."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class Superseded(RequestError):
    """A newer request of the same token, session and document replaced this one."""

    status = 409
    type = "conflict_error"
    code = "superseded"


class RequestCancelled(RequestError):
    """The client ended the request."""

    status = 499
    type = "cancelled"
    code = "cancelled"


class InternalError(RequestError):
    """A defect of CATO."""

    def __init__(self) -> None:
        super().__init__("internal error; the server's log tells more")
