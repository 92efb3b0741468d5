"""Asks a replica for its health and its models, and explains failures."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from cato_backend.errors import ReplicaUnavailable
from cato_backend.replicas import connect_errors
from cato_backend.replicas.replica import Replica
from cato_backend.replicas.served_models import choose, read_listing

_HANDSHAKE_S = 2.0
_MOST_BYTES = 4 * 1024 * 1024
TIMEOUT_S = 5.0
_MODELS = "/v1/models"
_WITHOUT_HEALTH = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_IMPLEMENTED,
)


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
    """Send one request; the response may have any status.

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
    """Explain an error of `ask`; tries out whether a server that answered no HTTP wants TLS."""
    is_connected = not isinstance(error, aiohttp.ClientConnectorError | TimeoutError)
    if is_connected and await wants_tls(url):
        return connect_errors.speaks_tls()
    return connect_errors.of_exception(error)


async def wants_tls(url: str) -> bool:
    """Return whether the server of an `http:` URL takes part in a TLS handshake."""
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
    """Read the body, up to a bound: the rest of a longer one is not read."""
    try:
        return await response.content.readexactly(_MOST_BYTES)
    except asyncio.IncompleteReadError as end:
        return end.partial


async def is_healthy(session: aiohttp.ClientSession, url: str, api_key: str | None = None) -> bool:
    """Return whether `check_health` finds nothing wrong."""
    try:
        await check_health(session, url, api_key)
    except ReplicaUnavailable:
        return False
    return True


async def check_health(
    session: aiohttp.ClientSession,
    url: str,
    api_key: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Return where `GET /health` answers 200. Raises ReplicaUnavailable.

    A server without `/health` counts as healthy when `/v1/models` answers.
    """
    path = "/health"
    answer = await _get(session, url + path, api_key, timeout_s)
    if answer.status in _WITHOUT_HEALTH:
        path = _MODELS
        answer = await _get(session, url + path, api_key, timeout_s)
    _check_status(answer, path, api_key)


async def describe(
    session: aiohttp.ClientSession,
    replica_id: str,
    url: str,
    *,
    model: str = "",
    api_key: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Replica:
    """Return the replica at `url`, asked through `/v1/models`.

    `model` chooses where it serves several.

    Raises ReplicaUnavailable when it cannot be asked, or does not serve `model`.
    """
    answer = await _get(session, url + _MODELS, api_key, timeout_s)
    _check_status(answer, _MODELS, api_key)
    if answer.body.lstrip().startswith(b"<"):
        raise connect_errors.of_web_page(_MODELS)
    served = choose(read_listing(answer.body), model)
    return Replica(
        id=replica_id,
        url=url,
        model=served.name,
        max_model_len=served.max_model_len,
        adapters=served.adapters,
        root=served.root,
        api_key=api_key,
    )


def _check_status(answer: ServerAnswer, path: str, api_key: str | None) -> None:
    if answer.status != HTTPStatus.OK:
        raise connect_errors.of_status(
            answer.status, path, has_key=bool(api_key), location=answer.location
        )


async def _get(
    session: aiohttp.ClientSession, url: str, api_key: str | None, timeout_s: float
) -> ServerAnswer:
    """Return the response, whatever its status. Raises ReplicaUnavailable where there is none."""
    try:
        answer = await ask(session, "GET", url, api_key, aiohttp.ClientTimeout(total=timeout_s))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise await explained(error, url) from error
    # nginx and Go's server answer plain HTTP on a port of TLS with this.
    if answer.status == HTTPStatus.BAD_REQUEST and await wants_tls(url):
        raise connect_errors.speaks_tls()
    return answer
