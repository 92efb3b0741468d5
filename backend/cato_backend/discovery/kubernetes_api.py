"""The part of Kubernetes' HTTP API that lists and watches resources."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from cato_backend.config import DiscoveryConfig
from cato_backend.errors import ConfigError, SourceUnavailable

_PAGE = "500"
_WATCH_S = 240
"""The server ends a watch after this; then the next one begins where it ended."""
_SILENCE_S = _WATCH_S + 30.0
_LINE_BYTES = 16 * 1024 * 1024
_GONE = 410
_CHECK = "check address and network"


class Outdated(Exception):
    """The version at which a watch should begin is no longer known (410 Gone): list again."""


class KubernetesApi:
    """A client of one API server. The service account's token is read for each request."""

    def __init__(self, url: str, account: Path, session: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/")
        self._account = account
        self._session = session
        self._trusted: tuple[tuple[int, int], ssl.SSLContext] | None = None
        """What `ca.crt` says, and its time and size then: connections are kept by the context."""

    async def list(self, path: str, selector: str) -> tuple[list[Mapping[str, Any]], str]:
        """Return all objects and the version of the list. Raises SourceUnavailable."""
        items: list[Mapping[str, Any]] = []
        following = ""
        while True:
            query = {"labelSelector": selector, "limit": _PAGE}
            page = await self._get(path, query | ({"continue": following} if following else {}))
            items += page.get("items") or []
            following = page["metadata"].get("continue", "")
            if not following:
                return items, page["metadata"]["resourceVersion"]

    async def watch(
        self, path: str, selector: str, version: str
    ) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield the events after `version`, until the server ends the watch.

        Raises SourceUnavailable, Outdated.
        """
        query = {
            "labelSelector": selector,
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_S),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SILENCE_S)
        try:
            async with self._request(path, query, timeout) as answer:
                await self._check(answer)
                async for line in _lines(answer):
                    yield _event(json.loads(line))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SourceUnavailable(f"its watch broke off ({_kind(error)})", _CHECK) from error
        except ValueError as error:
            raise SourceUnavailable("its watch holds no JSON", _CHECK) from error

    async def _get(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            async with self._request(path, query, aiohttp.ClientTimeout(total=30)) as answer:
                await self._check(answer)
                found: Mapping[str, Any] = await answer.json(content_type=None)
                return found
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SourceUnavailable(f"it does not answer ({_kind(error)})", _CHECK) from error
        except ValueError as error:
            raise SourceUnavailable("it answers no JSON", _CHECK) from error

    def _request(self, path: str, query: Mapping[str, str], timeout: aiohttp.ClientTimeout) -> Any:
        return self._session.get(
            self._url + path,
            params=query,
            headers={"Authorization": f"Bearer {self._token()}", "Accept": "application/json"},
            timeout=timeout,
            ssl=self._trust(),
            allow_redirects=False,
        )

    def _token(self) -> str:
        """Return the token, which the cluster replaces every hour or so."""
        try:
            return (self._account / "token").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceUnavailable(
                f"the token in {self._account} cannot be read",
                "run in a pod with a service account, or set discovery.kubernetes_account",
            ) from error

    def _trust(self) -> ssl.SSLContext | bool:
        authority = self._account / "ca.crt"
        if not authority.is_file():
            return True
        found = authority.stat()
        version = (found.st_mtime_ns, found.st_size)
        if self._trusted is None or self._trusted[0] != version:
            try:
                context = ssl.create_default_context(cafile=str(authority))
            except ssl.SSLError as error:
                raise SourceUnavailable(
                    f"{authority} is no certificate", "correct the file"
                ) from error
            self._trusted = version, context
        return self._trusted[1]

    async def _check(self, answer: aiohttp.ClientResponse) -> None:
        """Raise SourceUnavailable, Outdated."""
        if answer.status == _GONE:
            raise Outdated
        if answer.status in (401, 403):
            raise SourceUnavailable(
                f"it refuses the service account (HTTP {answer.status})",
                "allow it to get, list and watch endpointslices of discovery.k8s.io there",
            )
        if answer.status != 200:
            raise SourceUnavailable(f"it answered HTTP {answer.status}", "look at its log")


def cluster_api(config: DiscoveryConfig, session: aiohttp.ClientSession) -> KubernetesApi:
    """Return the API of the configuration, else of the cluster whose pod this is.

    Raises ConfigError where there is neither.
    """
    url = config.kubernetes_api
    if not url:
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), "KUBERNETES_SERVICE_PORT"
        if not host:
            expected = "the URL of Kubernetes' API, because this is no pod"
            raise ConfigError.of("discovery.kubernetes_api", "", expected)
        host = f"[{host}]" if ":" in host else host
        url = f"https://{host}:{os.environ.get(port, '443')}"
    return KubernetesApi(url, Path(config.kubernetes_account), session)


async def _lines(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """Yield whole lines; a slice of a thousand endpoints is longer than aiohttp's own limit."""
    rest = b""
    async for piece in answer.content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > _LINE_BYTES:
            raise ValueError("a line is too long")
        for line in lines:
            if line.strip():
                yield line


def _event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event. Raises SourceUnavailable, Outdated for one that tells an error."""
    if event.get("type") != "ERROR":
        return event
    status: Mapping[str, Any] = event.get("object") or {}
    if status.get("code") == _GONE:
        raise Outdated
    raise SourceUnavailable(f"its watch failed with code {status.get('code')}", "look at its log")


def _kind(error: BaseException) -> str:
    return type(error).__name__
