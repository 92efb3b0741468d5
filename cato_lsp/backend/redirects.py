"""Requests that follow only the redirects that keep their method and their token safe."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from cato_backend.wire.server_url import server_root
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
            if response.status not in KEEPING or _host(target) != _host(url):
                raise _moved(url, target, response.status)
            url = target
    raise Refused(f"the server redirects {url} again and again: check backend.url", status=310)


def _target(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    location = headers.get("location")
    return urljoin(url, location) if 300 <= status < 400 and location else None


def _host(url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(url)
    return parts.hostname, parts.port


def _moved(url: str, target: str, status: int) -> Refused:
    try:
        root = server_root(target)
        # Without the path that was asked for below the server's root.
        path = urlsplit(url).path
        root = root.removesuffix(path[path.find("/v1") :] if "/v1" in path else "/health")
    except ValueError:
        root = target.partition("?")[0]
    message = f"{url} is redirected ({status}): set backend.url to {root}"
    return Refused(message, status=status)
