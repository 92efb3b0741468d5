"""What can go wrong between the language server and the backend.

BackendFailure
├── Unreachable    no connection, or it broke: look for the backend again
├── Refused        an HTTP status or an error event: this request is lost, the backend lives
│   └── Denied     401 or 403: nothing will work until the token is mended
└── TimedOut       it took longer than the person would wait
"""

from __future__ import annotations

from http import HTTPStatus


class BackendFailure(Exception):
    """The text is for the person: what went wrong, never what was sent."""


class Unreachable(BackendFailure):
    """No connection could be made, or it broke. `remedy`: what to do, where that is known."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason}: {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy


class TimedOut(BackendFailure):
    """The answer took longer than its limit."""


class Refused(BackendFailure):
    """The backend answered, with an error."""

    def __init__(self, message: str, *, status: int, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Denied(Refused):
    """The token is missing or wrong."""


MOVED = frozenset(
    {
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
    }
)
"""Statuses of a server that has no such model, or does not take completions there."""


def outdates_the_connection(failure: BackendFailure) -> bool:
    """Whether the backend must be asked again how it is and which model it serves."""
    is_elsewhere = isinstance(failure, Refused) and failure.status in MOVED
    return isinstance(failure, Unreachable | Denied) or is_elsewhere
