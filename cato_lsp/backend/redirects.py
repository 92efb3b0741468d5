"""Requests that follow only the redirects that keep their method and their token safe."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from cato_lsp.backend.failures import Refused

KEEPING = frozenset({307, 308})
"""Their method and body are kept; the others turn a POST into a GET."""
MOST = 3


@asynccontextmanager
async def requested(
    http: aiohttp.ClientSession, method: str, url: str, **options: Any
) -> AsyncGenerator[aiohttp.ClientResponse]:
    """The response to a request. Raises Refused for a redirect that cannot be followed."""
    for _ in range(MOST):
        async with http.request(method, url, allow_redirects=False, **options) as response:
            target = _target(url, response.status, response.headers)
            if target is None:
                yield response
                return
            if response.status not in KEEPING or not _is_as_safe(target, url):
                raise _moved(url, target, response.status)
            url = target
    raise Refused(f"the server redirects {url} again and again: check backend.url", status=310)


def _target(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    location = headers.get("location")
    return urljoin(url, location) if 300 <= status < 400 and location else None


def _is_as_safe(target: str, url: str) -> bool:
    """Whether the target may be sent what `url` is sent: the same host, and TLS if there was."""
    to, was = urlsplit(target), urlsplit(url)
    return to.hostname == was.hostname and to.scheme in {was.scheme, "https"}


def _moved(url: str, target: str, status: int) -> Refused:
    place = target.partition("?")[0]
    message = f"{url} is redirected to {place} ({status}): "
    path = urlsplit(url).path
    asked = path[path.find("/v1") :] if "/v1" in path else "/health"
    if urlsplit(target).path.rstrip("/").endswith(asked):
        root = place.rstrip("/").removesuffix(asked)
        return Refused(f"{message}set backend.url to {root}", status=status)
    words = "is there a sign-in page in front of the server? set backend.url to the server itself"
    return Refused(message + words, status=status)
