"""How soon TCP itself finds out that a peer has vanished without closing its connection.

A machine that loses its power or its network sends neither FIN nor RST. Without these options the
kernel retransmits for a quarter of an hour before it reports an error.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any


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
        """Set the options on a TCP socket."""
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
