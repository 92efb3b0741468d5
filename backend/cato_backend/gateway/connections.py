"""Client connections: their number, which are idle, and their time limits.

aiohttp closes connections that were idle for `keepalive_timeout_s`. The rest is here: a request's
head that comes too slowly, a client that does not read its answer, and bounds on the connections,
of which the one that has been idle the longest is closed first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from cato_backend.errors import RequestError, RequestTimeout
from cato_backend.metrics import Metrics

_REFUSED_AT_ONCE = 16
_CHECKS_PER_TIMEOUT = 4
_LONGEST_CHECK_S = 1.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of `Connections`; times in seconds."""

    total: int
    """Connections, those in a TLS handshake included."""
    idle: int
    header_s: float
    """From a request's first byte to the end of its head; and from a connection's start to its
    first byte."""
    send_s: float
    """For a client that takes nothing of its answer."""
    unread_bytes: int
    """Read and dropped of a request that was answered before its end."""


class Peer(Protocol):
    """A holder of a file descriptor for a client: a connection, or a handshake before it."""

    def abort(self) -> None:
        """Close it at once."""
        ...


class Client(Peer, Protocol):
    """The interface of a connection that `Connections` uses."""

    @property
    def unread(self) -> int:
        """Bytes received since it became idle."""
        ...

    @property
    def is_lingering(self) -> bool:
        """Whether they belong to a request that was answered before its end."""
        ...

    def has_sent(self) -> bool:
        """Return whether some of what was written has left since this was last asked."""
        ...

    def refuse(self, error: RequestError) -> None:
        """Answers a request whose head is not whole, and closes."""
        ...

    def cut(self) -> None:
        """Cancel the handler of the request that is under way."""
        ...


class Connections:
    """Every client connection of the server.

    A connection is idle from its start, or from the end of an answer, until the whole head of a
    request has come.
    """

    def __init__(
        self, limits: ConnectionLimits, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._open: set[Peer] = set()
        self._idle: dict[Peer, None] = {}
        """The one that has been idle the longest is first."""
        self._busy: set[Client] = set()
        self._heads: dict[Client, float] = {}
        """When each head that is not whole was begun; the oldest is first."""
        self._silent: set[Client] = set()
        """Those that have sent nothing yet."""
        self._blocked: dict[Client, float] = {}
        """Since when each client has taken nothing of what is written; the oldest is first."""
        self._quiet = asyncio.Event()
        self._quiet.set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def busy(self) -> int:
        """Connections with a request under way."""
        return len(self._busy)

    @property
    def gateways(self) -> int:
        """Processes that take connections of clients."""
        return 1

    async def refresh(self) -> None:
        """Take over what is counted in other processes; here, all is counted in this one."""

    async def begin_drain(self, within_s: float) -> None:
        """Have other processes take nothing new; here, the drain itself sees to it."""

    async def wait_quiet(self) -> None:
        """Return once no request is under way."""
        await self._quiet.wait()

    def cut(self) -> None:
        """Cancel the handlers of all requests that are under way."""
        for connection in self._busy:
            connection.cut()

    def make_room(self) -> bool:
        """Close what has been idle the longest if there is no room for one more.

        Whether there is room now.
        """
        if len(self._idle) >= self._limits.idle:
            self.close_oldest_idle("idle_limit")
        return len(self._open) < self._limits.total or self.close_oldest_idle("connection_limit")

    def may_refuse(self) -> bool:
        """Return whether one more may stay, for as long as it takes to refuse it."""
        return len(self._open) < self._limits.total + _REFUSED_AT_ONCE

    def close_oldest_idle(self, reason: str) -> bool:
        """Close what has been idle the longest; False where nothing is idle."""
        oldest = next(iter(self._idle), None)
        if oldest is None:
            return False
        self._end(oldest, reason)
        return True

    async def watch(self) -> None:
        """Close what takes too long, until it is cancelled."""
        shortest = min(self._limits.header_s, self._limits.send_s)
        period_s = min(_LONGEST_CHECK_S, shortest / _CHECKS_PER_TIMEOUT)
        while True:
            due = self._clock() + period_s
            await asyncio.sleep(period_s)
            # While this process stood still it read and wrote nothing: that is no client's fault.
            if (late_s := self._clock() - due) > period_s:
                self._heads = {each: at + late_s for each, at in self._heads.items()}
                self._blocked = {each: at + late_s for each, at in self._blocked.items()}
            self._close_slow_heads()
            self._close_blocked()

    def _close_slow_heads(self) -> None:
        for connection in _older(self._heads, self._clock() - self._limits.header_s):
            if connection.unread:
                connection.refuse(RequestTimeout("the head of the request took too long"))
            del self._heads[connection]
            self._end(connection, "header_timeout")

    def _close_blocked(self) -> None:
        now = self._clock()
        for connection in _older(self._blocked, now - self._limits.send_s):
            del self._blocked[connection]
            if connection.has_sent():
                self._blocked[connection] = now
            else:
                self._end(connection, "send_timeout")

    def _end(self, peer: Peer, reason: str) -> None:
        self._metrics.connections_closed.labels(reason).inc()
        peer.abort()
        self.closed(peer)

    # -- what a connection tells ---------------------------------------------------------------

    def accepted(self, peer: Peer) -> None:
        """Count a connection, which holds a descriptor from now on."""
        self._open.add(peer)
        self._idle[peer] = None

    def opened(self, connection: Client) -> None:
        """Begin to read."""
        self.accepted(connection)
        self._heads[connection] = self._clock()
        self._silent.add(connection)

    def received(self, connection: Client) -> None:
        """Record that an idle connection has sent something."""
        if connection not in self._idle:
            return
        if connection.unread > self._limits.unread_bytes:
            self._end(connection, "unread")
            return
        is_first = connection in self._silent
        if is_first or (connection not in self._heads and not connection.is_lingering):
            self._silent.discard(connection)
            self._heads.pop(connection, None)  # It goes behind the older ones.
            self._heads[connection] = self._clock()

    def began(self, connection: Client) -> None:
        """Record that a request is under way on it."""
        self._idle.pop(connection, None)
        self._heads.pop(connection, None)
        self._busy.add(connection)
        self._quiet.clear()

    def answered(self, connection: Client) -> None:
        """Record that the answer was handed over; what comes next belongs to the next request."""
        if connection in self._open:
            self._idle[connection] = None
        self._over(connection)

    def blocked(self, connection: Client) -> None:
        """Its client lags behind what is written."""
        if connection in self._open:
            self._blocked[connection] = self._clock()

    def unblocked(self, connection: Client) -> None:
        """Its client has caught up."""
        self._blocked.pop(connection, None)

    def closed(self, peer: Peer) -> None:
        """Record that it is gone, or will be at once."""
        self._open.discard(peer)
        self._idle.pop(peer, None)

    def lost(self, connection: Client) -> None:
        """Record that it is gone, and what was known of its request with it."""
        self._heads.pop(connection, None)
        self._silent.discard(connection)
        self._blocked.pop(connection, None)
        self.closed(connection)
        self._over(connection)

    def _over(self, connection: Client) -> None:
        self._busy.discard(connection)
        if not self._busy:
            self._quiet.set()


def _older(since: dict[Client, float], moment: float) -> list[Client]:
    """Return those from before the moment; `since` is in the order of its times."""
    return [connection for connection, _ in takewhile(lambda i: i[1] <= moment, since.items())]
