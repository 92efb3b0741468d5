"""Addresses of the servers that replicas run on, and connections to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from cato_backend.replicas.sockets import SocketFolder

ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)


class Server(NamedTuple):
    """Address of a replica's server. A tuple, because its hash is taken for each request."""

    host: str
    port: int
    tls: bool
    authority: str
    socket: str | None
    """The Unix socket of an engine that was started here."""


class CannotConnect(OSError):
    """No connection could be opened. `was_sent`: the request went out before, on a kept one."""

    def __init__(self, message: str, *, was_sent: bool = False) -> None:
        super().__init__(message)
        self.was_sent = was_sent


async def connect(
    server: Server, make: Callable[[], ProtocolT], *, tls: bool = False
) -> tuple[asyncio.Transport, ProtocolT]:
    """Open a connection. Raises OSError."""
    loop = asyncio.get_running_loop()
    if server.socket is not None:
        return await loop.create_unix_connection(make, server.socket)
    return await loop.create_connection(make, server.host, server.port, ssl=tls or None)


@lru_cache(maxsize=1024)
def server_of(url: str, sockets: SocketFolder) -> tuple[Server, str]:
    """Return the server of a URL, and the path on it."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host = parts.hostname or ""
    port = parts.port or (443 if tls else 80)
    authority = parts.netloc.rpartition("@")[2]
    return Server(host, port, tls, authority, sockets.of_host(host)), parts.path
