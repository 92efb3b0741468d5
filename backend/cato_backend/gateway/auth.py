"""Who may come in: bearer tokens, and on loopback no web page and no foreign Host."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from aiohttp import web

from cato_backend.errors import Forbidden, Unauthorized

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})


class Tokens:
    """The accepted bearer tokens. Without any, everybody is the same unnamed tenant."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tenants = {_bytes(token): _tenant(token) for token in tokens}

    def __len__(self) -> int:
        return len(self._tenants)

    @property
    def first(self) -> str | None:
        """The token that this user's own editors are given."""
        return next((token.decode() for token in self._tenants), None)

    def tenant(self, authorization: str | None) -> str:
        """Whose token this is. Raises Unauthorized. Takes as long for every wrong token."""
        if not self._tenants:
            return ""
        scheme, _, given = (authorization or "").partition(" ")
        found = ""
        for token, tenant in self._tenants.items():
            if hmac.compare_digest(token, _bytes(given.strip())):
                found = tenant
        if scheme.lower() != "bearer" or not found:
            raise Unauthorized("authorization: expected 'Bearer TOKEN' with a token of this server")
        return found


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or name. Unknown names count as no."""
    name = host.strip("[]").lower()
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_local(request: web.BaseRequest) -> None:
    """Refuses what a web page in the user's browser could send here. Raises Forbidden.

    A page can make the browser connect to loopback: its request carries an Origin, or, by DNS
    rebinding, the page's own host name.
    """
    if "Origin" in request.headers:
        raise Forbidden("origin: requests of web pages are refused on a loopback address")
    if not _names_loopback(request.headers.get("Host", "")):
        raise Forbidden("host: expected localhost or a loopback address")


@lru_cache(maxsize=256)
def _names_loopback(host: str) -> bool:
    """Whether a `Host` header, with or without a port, names this machine."""
    return is_loopback(host.rpartition(":")[0] if _has_port(host) else host)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]") and host.count(":") != 0


def _bytes(token: str) -> bytes:
    """A header may carry bytes that are no UTF-8."""
    return token.encode(errors="surrogateescape")


def _tenant(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12]
