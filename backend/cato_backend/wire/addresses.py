"""Addresses of OpenAI-compatible servers as people write them, and those of this machine alone."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit, urlunsplit

_API_PATH = re.compile(r"/v1(/models|/completions|/chat/completions)?$")

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})


class UrlHoldsCredentials(ValueError):
    """The URL holds a user name or a password: it must not be repeated in a message."""


def server_root(url: str) -> str:
    """Return the server's root: without a slash at the end, and without `/v1` or what follows it.

    Raises ValueError, with what is expected as its text, for what is no such address.
    """
    text = url.strip()
    expected = "the address of a server, such as http://localhost:8000"
    try:
        parts = urlsplit(text)
        is_address = _is_address(parts) and not re.search(r"\s", text)
    except ValueError as error:  # A port that is no port number, a bracket that is not closed.
        raise ValueError(expected) from error
    if not is_address:
        raise ValueError(expected)
    if "@" in parts.netloc:
        raise UrlHoldsCredentials("an address without user name and password: a key is a token")
    path = _API_PATH.sub("", parts.path.rstrip("/")).rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _is_address(parts: SplitResult) -> bool:
    """Raise ValueError for a port out of range."""
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and parts.port != 0
        and not parts.query
        and not parts.fragment
    )


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address or name. Unknown names count as no."""
    name = host.strip("[]").lower()
    if name in _LOCAL_NAMES:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
