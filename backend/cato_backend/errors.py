"""The one error tree. A class exists because a caller acts differently on it.

CatoError
├── ConfigError            the start is refused: names the field, what was got, what was expected
├── EngineError            an engine's environment, model or process cannot be had; the start fails
│   ├── DamagedModel       a model file is missing or does not match its checksum
│   └── ReplicaUnavailable a server does not answer as a replica does: it is asked again later
└── RequestError           one HTTP request is answered with this status, the server goes on
    ├── InvalidRequest     400: names the field
    ├── BodyTooLarge       413
    ├── UnsupportedEncoding 415: a content encoding that is not inflated here
    ├── ExpectationFailed  417: an Expect header other than 100-continue
    ├── RequestTimeout     408: the request came too slowly
    ├── Unauthorized       401
    ├── Forbidden          403: a foreign Host or a browser's Origin on loopback
    ├── NotFound           404: no such model, request or path
    ├── MethodNotAllowed   405
    ├── Superseded         409: a newer request of the same document took its place
    ├── PoisonRequest      422: two replicas died while they were starting it
    ├── Overloaded         429: the queue is full; carries when to come back
    │   └── ReplicasBusy   429: every replica refuses requests until after the deadline
    ├── NoReplica          503: no healthy replica until the deadline
    ├── TooManyConnections 503: carries when to come back
    ├── ShuttingDown       503: the server ends; carries when to come back
    ├── Expired            504: its queue timeout passed before a replica could start it
    ├── RequestCancelled          499: the client ended it (seen in metrics, never by the client)
    ├── UpstreamFailed     502: a replica failed in a way that could not be hidden
    ├── UnusableAnswer     502: a model answered twice with nothing, or repeated itself without end
    └── InternalError      500: a defect of ours; its trace is in the log, never in the answer
"""

from __future__ import annotations

from typing import Any, ClassVar


class CatoError(Exception):
    """Every error that CATO raises on purpose; its text is for the person who reads it."""


class ConfigError(CatoError):
    """Configuration that cannot be used."""

    @classmethod
    def of(cls, field: str, got: object, expected: str) -> ConfigError:
        """Return the standard sentence: which field, what stood there, what belongs there."""
        return cls(f"{field}: got {got!r}, expected {expected}")


class EngineError(CatoError):
    """An engine that could not be installed, started or kept alive."""


class DamagedModel(EngineError):
    """A model file that is missing or whose checksum is wrong."""


class ReplicaUnavailable(EngineError):
    """A server that cannot serve as a replica now. `reason` says why, `remedy` what to do.

    `is_certain`: another look at once would find the same; one failed look is enough to act on.
    """

    def __init__(self, reason: str, remedy: str, *, is_certain: bool = False) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.is_certain = is_certain


class RequestError(CatoError):
    """One request's failure, in the terms of OpenAI's error object."""

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
    """The body's content encoding is none that is inflated here."""

    status = 415
    code = "unsupported_content_encoding"


class ExpectationFailed(InvalidRequest):
    """An `Expect` header that asks for something else than 100-continue."""

    status = 417
    code = "expectation_failed"


class RequestTimeout(InvalidRequest):
    """Head or body of the request took too long to arrive."""

    status = 408
    code = "request_timeout"


class Unauthorized(RequestError):
    """The bearer token is missing or wrong."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(RequestError):
    """A web page's Origin, or a Host that is not ours, on a loopback address."""

    status = 403
    type = "permission_error"
    code = "forbidden_origin"


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


class Overloaded(RequestError):
    """The queue is full. `retry_after_s`: when it should have room again."""

    status = 429
    type = "rate_limit_error"
    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ReplicasBusy(Overloaded):
    """Every replica refuses requests for longer than this one can wait."""

    code = "replicas_busy"


class PoisonRequest(RequestError):
    """Replicas died while they were starting this very request: it is not tried on another.

    A status that clients do not retry by themselves.
    """

    status = 422
    type = "invalid_request_error"
    code = "replicas_died"


class NoReplica(RequestError):
    """No healthy replica could take the request before its deadline."""

    status = 503
    type = "service_unavailable_error"
    code = "no_replica"


class TooManyConnections(RequestError):
    """All connections are taken, and none of them is idle."""

    status = 503
    type = "service_unavailable_error"
    code = "too_many_connections"
    retry_after_s = 1.0


class ShuttingDown(RequestError):
    """The server takes nothing new, or cuts what is under way.

    `retry_after_s`: when another one may have taken its place.
    """

    status = 503
    type = "service_unavailable_error"
    code = "shutting_down"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Expired(RequestError):
    """The request's worth ran out while it waited."""

    status = 504
    type = "timeout_error"
    code = "expired"


class RequestCancelled(RequestError):
    """The client ended the request."""

    status = 499
    type = "cancelled"
    code = "cancelled"


class UpstreamFailed(RequestError):
    """A replica failed, and the request could not be moved to another unseen."""

    status = 502
    type = "upstream_error"
    code = "replica_failed"


class UnusableAnswer(RequestError):
    """A model answered with nothing, or repeated itself without end, and did so again."""

    status = 502
    type = "upstream_error"
    code = "unusable_answer"


class InternalError(RequestError):
    """A defect of ours."""

    def __init__(self) -> None:
        super().__init__("internal error; the server's log tells more")
