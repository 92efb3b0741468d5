"""Protection of a server on loopback against web pages in the user's browser."""

from __future__ import annotations

from functools import lru_cache

from aiohttp import web

from cato_backend.errors import Forbidden
from cato_backend.wire.loopback import is_loopback


def check_local(request: web.BaseRequest) -> None:
    """Refuse what a web page in the user's browser could send here. Raises Forbidden.

    A page can make the browser connect to loopback: its request carries an Origin, or, by DNS
    rebinding, the page's own host name. The server's own page has the server's own origin.
    """
    host = request.headers.get("Host", "")
    if not _names_loopback(host):
        raise Forbidden("host: expected localhost or a loopback address")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{host}":
        raise Forbidden("origin: requests of other web pages are refused on a loopback address")


@lru_cache(maxsize=256)
def _names_loopback(host: str) -> bool:
    """Return whether a `Host` header, with or without a port, names this machine."""
    return is_loopback(host.rpartition(":")[0] if _has_port(host) else host)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]") and host.count(":") != 0
