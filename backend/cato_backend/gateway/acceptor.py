"""Accepts clients' connections within the limits of connections and file descriptors."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from cato_backend.gateway.connection import ClientConnection
from cato_backend.gateway.connections import Connections

_RESERVED = 64
"""For logs, engines, the event loop and listening sockets."""
_UNLIMITED = 1_048_576
"""In place of no limit: the kernel's default of what a process may ever have."""
_PER_CLIENT = 3
"""A connection of its own, one to a replica, and one that is kept to another replica."""
_AT_ONCE = 16
"""Connections accepted in one turn of the event loop."""
_RETRY_S = 0.1
"""After an accept that failed for want of descriptors or memory."""
_TLS_SHUTDOWN_S = 2.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The soft limit before and after it was raised."""

    before: int
    limit: int

    def clients(self, wanted: int) -> int:
        """Return how many of the `wanted` client connections the limit allows."""
        reserved = min(_RESERVED, self.limit // 3)
        return max(1, min(wanted, (self.limit - reserved) // _PER_CLIENT))

    def __str__(self) -> str:
        raised = f", raised from {self.before}" if self.limit > self.before else ""
        return f"file descriptors: at most {self.limit}{raised}"


def raise_limit() -> Descriptors:
    """Raise the soft limit to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft in (limit, resource.RLIM_INFINITY):
        return Descriptors(limit, limit)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):  # More than the system allows any process.
        return Descriptors(soft, soft)
    return Descriptors(soft, limit)


class Acceptor:
    """Reads new connections from a listening socket.

    The event loop's own server counts a TLS connection only after its handshake, and where
    descriptors run out it resets newcomers.
    """

    def __init__(
        self,
        listening: socket.socket,
        tls: Callable[[], ssl.SSLContext | None],
        connections: Connections,
        make: Callable[[bool], ClientConnection],
        handshake_s: float,
    ) -> None:
        """`tls` gives the context for the next connection.

        `make` is told whether the new connection is one beyond the limit.
        """
        self._listening = listening
        self._tls = tls
        self._connections = connections
        self._make = make
        self._handshake_s = handshake_s
        self._handshakes: set[_Handshake] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._is_exhausted = False

    def start(self) -> None:
        """Accept from now on."""
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def stop(self) -> None:
        """Accept no more, and give up handshakes."""
        asyncio.get_running_loop().remove_reader(self._listening)
        if self._retry is not None:
            self._retry.cancel()
        for handshake in self._handshakes:
            handshake.abort()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error)
                    return
                continue  # The client has gone already.
            self._is_exhausted = False
            self._open(accepted)

    def _pause(self, error: OSError) -> None:
        """Pause; what cannot be accepted waits in the listening socket's backlog."""
        loop = asyncio.get_running_loop()
        if not self._is_exhausted:
            log.warning("no connection can be accepted: %s; the longest idle one is closed", error)
        self._is_exhausted = True
        self._connections.close_oldest_idle("descriptors")
        loop.remove_reader(self._listening)
        self._retry = loop.call_later(_RETRY_S, self.start)

    def _open(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        has_room = self._connections.make_room()
        if not has_room and not self._connections.may_refuse():
            accepted.close()
            return
        handshake = _Handshake(self._connect(accepted, over_limit=not has_room))
        self._connections.accepted(handshake)
        self._handshakes.add(handshake)
        handshake.task.add_done_callback(lambda _: self._over(handshake))

    def _over(self, handshake: _Handshake) -> None:
        self._handshakes.discard(handshake)
        self._connections.closed(handshake)

    async def _connect(self, accepted: socket.socket, *, over_limit: bool) -> None:
        tls = self._tls()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._make(over_limit),
                accepted,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self._handshake_s,
                ssl_shutdown_timeout=None if tls is None else _TLS_SHUTDOWN_S,
            )
        except OSError as error:
            log.debug("a connection ended before its first request: %s", type(error).__name__)
            accepted.close()


class _Handshake:
    """A connection during its handshake."""

    def __init__(self, connecting: Coroutine[None, None, None]) -> None:
        self.task = asyncio.create_task(connecting)

    def abort(self) -> None:
        """Give it up; the socket is closed."""
        self.task.cancel()
