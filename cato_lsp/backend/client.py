"""The HTTP client of one backend. Connections are kept; nothing is retried.

Only redirects that keep the method and do not expose the token are followed. What goes wrong is
told in words for people.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from cato_backend.wire.addresses import is_loopback
from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.calls import Call
from cato_lsp.backend.connections import AnnouncedOnly, unreachable
from cato_lsp.backend.discovery import Target
from cato_lsp.backend.failures import Refused, refusal
from cato_lsp.backend.models import Model, choose
from cato_lsp.backend.replicas import BackendReports
from cato_lsp.backend.streams import DRAIN_S, EventStream

CONNECT_S = 3.0
PROBE_S = 5.0
LONGEST_POST_S = 15.0
FAREWELL_S = 0.5
FOR_ALL_REQUESTS = frozenset({401, 403, 404, 405})
"""Statuses that do not depend on what a request holds."""
_NOT_THERE = frozenset({404, 405})
KEPT_S = 60.0
"""How long an idle connection is kept: longer than the pause between two health checks."""
KEEPING_REDIRECTS = frozenset({307, 308})
"""Their method and body are kept; the others turn a POST into a GET."""
MOST_REDIRECTS = 3


class BackendClient:
    """Talks to one backend, from inside a running loop, until `close` or the end of its block."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._http = aiohttp.ClientSession(
            headers={"authorization": f"Bearer {target.token}"} if target.token else {},
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            proxy=_proxy(target.url),
            middlewares=(AnnouncedOnly(target.announcement),) if target.announcement else (),
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def open(self, call: Call, *, cancels: bool) -> EventStream:
        """Start a streamed call. `cancels`: whether the backend has a call to cancel by."""
        url = self.target.url + call.path
        request = requested(self._http, "POST", url, json=call.body, headers=call.headers)

        async def tell(reason: CancelReason) -> bool:
            return await self._cancel(call.request_id, reason)

        return EventStream(request, tell if cancels else None, self._spawn)

    async def post(self, path: str, body: dict[str, Any], named: dict[str, str]) -> int:
        """Post a body without waiting for content; return the status, 0 if there was no answer."""
        timeout = aiohttp.ClientTimeout(total=LONGEST_POST_S)
        url = self.target.url + path
        try:
            async with requested(
                self._http, "POST", url, json=body, headers=named, timeout=timeout
            ) as response:
                await response.read()
                return response.status
        except Refused as refused:
            return refused.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0

    async def prove(self, model: Model) -> None:
        """Ask for one token, where requests were refused although everything else is in order.

        Raises Refused where that is so for all requests: the token or the model is not known, or
        completions are not offered; Unreachable.
        """
        body = {"model": model.name, "prompt": "1", "max_tokens": 1, "temperature": 0}
        url, timeout = f"{self.target.url}/v1/completions", aiohttp.ClientTimeout(total=PROBE_S)
        try:
            async with requested(self._http, "POST", url, json=body, timeout=timeout) as response:
                if response.status in FOR_ALL_REQUESTS:
                    raise self._for_all(await refusal(response))
        except TimeoutError:
            return  # It is slow, and has not refused.
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(self.target.url, error) from error

    def _for_all(self, refused: Refused) -> Refused:
        """Return the refusal, in words if the server has no completions at all."""
        if refused.status not in _NOT_THERE or "model" in f"{refused} {refused.code}".lower():
            return refused
        words = f"{self.target.url} offers no completions (/v1/completions: {refused})"
        remedy = "a server of chats alone is not enough: serve the model with cato serve or vLLM"
        return Refused(f"{words}: {remedy}", status=refused.status)

    async def health(self) -> float:
        """Measure and return the round trip in milliseconds. Raises Unreachable, Refused."""
        started = time.perf_counter()
        try:
            await self._get("/health")
        except Refused as refused:
            # An OpenAI server need not know the path; one that is loading answers 503.
            if refused.status != 404 and not 300 <= refused.status < 400:
                raise
        return (time.perf_counter() - started) * 1000

    async def reports(self) -> BackendReports:
        """Return what the backend reports of itself; empty if it does not. Raises Unreachable."""
        body = await self._get("/health", refusing=False)
        return BackendReports.read(body)

    async def model(self) -> Model:
        """Return the model to ask for. Raises Unreachable, Refused, Denied."""
        try:
            listing = await self._get("/v1/models")
        except Refused as refused:
            if refused.status not in _NOT_THERE:
                raise
            words = f"{self.target.url}/v1/models does not exist ({refused.status})"
            raise Refused(f"{words}: check backend.url", status=refused.status) from refused
        if isinstance(listing, bytes):
            words = "does not answer as an OpenAI server: check backend.url"
            raise Refused(f"{self.target.url} {words}", status=200)
        model = choose(listing)
        if model is None:
            raise Refused(f"the backend at {self.target.url} lists no model", status=200)
        return model

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> object:
        """Send a request and return the JSON of its answer, None for one without a body.

        Raises Unreachable, Refused.
        """
        timeout = aiohttp.ClientTimeout(total=LONGEST_POST_S)
        url = self.target.url + path
        try:
            async with requested(self._http, method, url, json=body, timeout=timeout) as response:
                if response.status >= 300:
                    raise await refusal(response)
                is_json = response.content_type == "application/json"
                return await response.json() if is_json else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise unreachable(self.target.url, error) from error

    async def close(self) -> None:
        """End every stream and every connection; cancellations have a moment to be sent."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FAREWELL_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    async def _get(self, path: str, *, refusing: bool = True) -> object:
        """Return the body, parsed if it is JSON. `refusing`: whether an error status is raised."""
        timeout = aiohttp.ClientTimeout(total=PROBE_S)
        try:
            url = self.target.url + path
            async with requested(self._http, "GET", url, timeout=timeout) as response:
                if response.status != 200 and refusing:
                    raise await refusal(response)
                return _parsed(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise unreachable(self.target.url, error) from error

    async def _cancel(self, request_id: str, reason: CancelReason) -> bool:
        url = f"{self.target.url}/v1/requests/{request_id}/cancel"
        timeout = aiohttp.ClientTimeout(total=DRAIN_S)
        try:
            body = {"reason": reason.value}
            async with requested(self._http, "POST", url, json=body, timeout=timeout) as response:
                return response.status < 300
        except (Refused, aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


@asynccontextmanager
async def requested(
    http: aiohttp.ClientSession, method: str, url: str, **options: Any
) -> AsyncGenerator[aiohttp.ClientResponse]:
    """Send a request and yield the response. Raises Refused for a redirect that is not followed."""
    for _ in range(MOST_REDIRECTS):
        async with http.request(method, url, allow_redirects=False, **options) as response:
            target = _target(url, response.status, response.headers)
            if target is None:
                yield response
                return
            if response.status not in KEEPING_REDIRECTS or not _is_as_safe(target, url):
                raise _moved(url, target, response.status)
            url = target
    raise Refused(f"the server redirects {url} again and again: check backend.url", status=310)


def _parsed(body: bytes) -> object:
    """Return the JSON of a body, whatever its type is said to be; the bytes if it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return body


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a server; None on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    # vLLM prints 0.0.0.0 as its address.
    is_here = is_loopback(host) or host in {"0.0.0.0", "::"} or host.endswith(".localhost")
    if is_here or proxy_bypass(host) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxy = getproxies().get(parts.scheme, "")
    proxy = proxy if "://" in proxy or not proxy else f"http://{proxy}"
    # Other kinds, such as SOCKS, are not spoken here.
    return proxy if proxy.startswith(("http://", "https://")) else None


def _target(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    location = headers.get("location")
    return urljoin(url, location) if 300 <= status < 400 and location else None


def _is_as_safe(target: str, url: str) -> bool:
    """Return whether the target may be sent what `url` is sent.

    It may if it is the same host, with TLS if there was TLS.
    """
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
