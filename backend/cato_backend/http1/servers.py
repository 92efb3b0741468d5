"""Servers that replicas run on: their addresses, and the limits of connections to them.

A machine that loses its power or its network sends neither FIN nor RST. Without TCP keep-alive and
a user time-out the kernel retransmits for a quarter of an hour before it reports an error.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
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
    """No connection could be opened. `was_sent`: the request was sent before, on a kept one."""

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


@dataclass(frozen=True, slots=True)
class Liveness:
    """TCP keep-alive and user time-out (RFC 5482). Options that the platform lacks are left out."""

    keepalive_after_s: int = 5
    """Idle time before the first probe."""
    keepalive_every_s: int = 2
    keepalive_probes: int = 3
    unacknowledged_s: float = 10.0
    """Sent data that stays unacknowledged for so long closes the connection. Replicas whose event
    loop is busy still acknowledge, because their kernel does."""

    def apply(self, sock: socket.socket) -> None:
        """Set the options on a TCP socket; a Unix socket needs none."""
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        options = {
            "TCP_KEEPIDLE": self.keepalive_after_s,
            "TCP_KEEPALIVE": self.keepalive_after_s,  # macOS' name for TCP_KEEPIDLE.
            "TCP_KEEPINTVL": self.keepalive_every_s,
            "TCP_KEEPCNT": self.keepalive_probes,
            "TCP_USER_TIMEOUT": round(self.unacknowledged_s * 1e3),  # Linux only.
        }
        for name, value in options.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def socket_for(self, address: tuple[Any, ...]) -> socket.socket:
        """Return a new socket for an entry of `getaddrinfo`, for aiohttp's `socket_factory`."""
        family, kind, protocol, *_ = address
        sock = socket.socket(family, kind, protocol)
        self.apply(sock)
        return sock


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of connections, in seconds."""

    connect_s: float = 2.0
    """For a new connection, TLS included. TCP repeats a lost SYN after one second."""
    keepalive_s: float = 4.0
    """An idle connection is closed after this: below the limit of uvicorn and Node.js (5 s)."""
    stale_s: float = 2.0
    """Within this time a kept connection shows whether it is alive. One that its peer has closed
    says so after a round trip, and one that brings no headers of a stream has lost its peer."""
    liveness: Liveness = field(default_factory=Liveness)
