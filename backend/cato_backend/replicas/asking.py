"""HTTP requests to a replica about itself, and why they failed."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from cato_backend.errors import ReplicaUnavailable
from cato_backend.replicas import connect_errors

_HANDSHAKE_S = 2.0
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """A whole response."""

    status: int
    body: bytes
    location: str = ""
    """The target of a redirection."""


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    api_key: str | None,
    timeout: aiohttp.ClientTimeout,
    body: dict[str, Any] | None = None,
) -> ServerAnswer:
    """Sends one request; the response may have any status.

    Raises aiohttp.ClientError, TimeoutError, OSError.
    """
    async with session.request(
        method,
        url,
        json=body,
        headers={"authorization": f"Bearer {api_key}"} if api_key else {},
        timeout=timeout,
        # Completions follow no redirection either: a url that needs one must be named.
        allow_redirects=False,
    ) as response:
        location = response.headers.get("Location", "") if 300 <= response.status < 400 else ""
        return ServerAnswer(response.status, await read_bounded(response), location)


async def explained(error: Exception, url: str) -> ReplicaUnavailable:
    """Explains an error of `ask`; tries out whether a server that answered no HTTP wants TLS."""
    is_connected = not isinstance(error, aiohttp.ClientConnectorError | TimeoutError)
    if is_connected and await wants_tls(url):
        return connect_errors.speaks_tls()
    return connect_errors.of_exception(error)


async def wants_tls(url: str) -> bool:
    """Whether the server of an `http:` URL takes part in a TLS handshake."""
    if not url.startswith("http:"):
        return False
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_HANDSHAKE_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80, ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


async def read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """Reads the body, up to a bound: the rest of a longer one is not read."""
    try:
        return await response.content.readexactly(_MOST_BYTES)
    except asyncio.IncompleteReadError as end:
        return end.partial
