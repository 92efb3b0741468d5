"""An HTTP error, or an error event, as a failure that a person can read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from cato_lsp.backend.failures import Denied, Refused

if TYPE_CHECKING:
    import aiohttp

LONGEST_MESSAGE = 300
_PLAIN_HTTP_TO_TLS = re.compile(rb"https (port|server)|ssl-enabled server", re.IGNORECASE)
"""What nginx, Go's and Apache's servers say to a plain request on a port for TLS."""


async def refusal(response: aiohttp.ClientResponse) -> Refused:
    """The failure that a response of an error status stands for."""
    body = await response.content.read(16 * 1024)
    if response.status == 400 and _PLAIN_HTTP_TO_TLS.search(body):
        return Refused("the server wants https://: write it in backend.url", status=400)
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    return refused(value, status=response.status)


def refused(value: object, *, status: int) -> Refused:
    """The failure in OpenAI's error object, or what the status alone says."""
    body = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    error = body.get("error")
    # What is not an error object may still have something to say: `/health` while it starts.
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else body
    message = str(fields.get("message") or f"the backend answered {status}")[:LONGEST_MESSAGE]
    code = fields.get("code")
    kind = Denied if status in {401, 403} else Refused
    return kind(message, status=status, code=None if code is None else str(code))
