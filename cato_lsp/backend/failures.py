"""Failures between the language server and the backend.

BackendFailure
├── Unreachable    no connection, or it broke: look for the backend again
├── Refused        an HTTP status or an error event: this request is lost, the backend lives
│   └── Denied     401 or 403: nothing will work until the token is mended
└── TimedOut       it took longer than the person would wait
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import aiohttp
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
LONGEST_MESSAGE = 300
_PLAIN_HTTP_TO_TLS = re.compile(rb"https (port|server)|ssl-enabled server", re.IGNORECASE)
"""What nginx, Go's and Apache's servers say to a plain request on a port for TLS."""


class BackendFailure(Exception):
    """A failure. The text is for the person; it never contains what was sent."""


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


def outdates_the_connection(failure: BackendFailure) -> bool:
    """Return whether the backend must be asked again how it is and which model it serves."""
    is_elsewhere = isinstance(failure, Refused) and failure.status in MOVED
    return isinstance(failure, Unreachable | Denied) or is_elsewhere


async def refusal(response: aiohttp.ClientResponse) -> Refused:
    """Return the failure that a response with an error status stands for."""
    body = await response.content.read(16 * 1024)
    if response.status == 400 and _PLAIN_HTTP_TO_TLS.search(body):
        return Refused("the server wants https://: write it in backend.url", status=400)
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    return refused(value, status=response.status)


def refused(value: object, *, status: int) -> Refused:
    """Return the failure in OpenAI's error object, else what the status alone says."""
    body = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    error = body.get("error")
    # What is not an error object may still have something to say: `/health` while it starts.
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else body
    message = _plain(str(fields.get("message") or f"the backend answered {status}"))
    code = fields.get("code")
    kind = Denied if status in {401, 403} else Refused
    return kind(message, status=status, code=None if code is None else _plain(str(code)))


def _plain(text: str) -> str:
    """Return the text, shortened, with a space for each character that cannot be printed."""
    return "".join(each if each.isprintable() else " " for each in text[:LONGEST_MESSAGE])
