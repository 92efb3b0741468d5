"""Kept connections to replicas."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Mapping
from http import HTTPStatus

from cato_backend.http1.connections import LARGEST_BODY, Connection, Silence, Take
from cato_backend.http1.servers import CannotConnect, Server, Timeouts, connect, server_of
from cato_backend.replicas.sockets import SocketFolder

_HEADER_FACTOR = 4.0

_HEADER_SAMPLES = 32

_LISTENS_S = 0.2
"""To refuse a connection takes one round trip."""
_OWN_LINES = 5
"""Of a request's head, without the headers of the caller."""
_LONGEST_ERROR = 4 * 1024 * 1024
_ERROR_S = 1.0
log = logging.getLogger(__name__)


class Pool:
    """Holds idle connections, and knows how long the headers of this server's streams take."""

    def __init__(self) -> None:
        self._idle: deque[Connection] = deque()
        self._header_s: deque[float] = deque(maxlen=_HEADER_SAMPLES)

    def put(self, connection: Connection) -> None:
        """Record that it can take another request."""
        self._idle.append(connection)
        while not self._idle[0].usable:  # The oldest expire first.
            self._idle.popleft().close()

    def take(self) -> Connection | None:
        """Return the one that was used last, as it is the least likely to be closed by its peer."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    def close(self) -> None:
        """Close all."""
        while self._idle:
            self._idle.pop().close()

    def observe_headers(self, delay_s: float) -> None:
        """Record that a stream's headers came after this time."""
        self._header_s.append(delay_s)

    def header_limit_s(self, least_s: float) -> float:
        """Return how long a stream's headers may take before a kept connection counts as dead.

        Servers differ: vLLM sends headers at once, others with the first token.
        """
        return max(least_s, _HEADER_FACTOR * max(self._header_s, default=0.0))


class Reply:
    """A reply whose status is known. `release` must follow."""

    def __init__(self, upstreams: Upstreams, server: Server, connection: Connection) -> None:
        self._upstreams = upstreams
        self._server = server
        self._connection = connection
        self.status = connection.status
        self.content_type = connection.head.content_type
        self.retry_after = connection.head.retry_after
        self.silence_s = connection.silence_s

    async def pour(self, take: Take, limit_s: float | None = None) -> bool:
        """See `Connection.pour`. Raises ConnectionError, TimeoutError, BadReply."""
        return await self._connection.pour(take, limit_s)

    async def read_all(self, most: int = LARGEST_BODY) -> bytes:
        """Return the whole body. Raises as `pour`, and BadReply where it is too large."""
        return await self._connection.read_all(most)

    async def read_error(self) -> bytes:
        """Return the part of an error's body that arrives soon. Raises as `pour`.

        The status alone decides what happens next, so that the rest is not waited for.
        """
        return await self._connection.read_beginning(_LONGEST_ERROR, _ERROR_S)

    def release(self) -> None:
        """Keep the connection where the reply was read to its end, else closes it at once."""
        self._upstreams.take_back(self._server, self._connection)


class Upstreams:
    """Opens connections on demand, and keeps idle ones for a while."""

    def __init__(
        self, timeouts: Timeouts | None = None, sockets: SocketFolder | None = None
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._sockets = sockets or SocketFolder()
        self._pools: defaultdict[Server, Pool] = defaultdict(Pool)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        silence_s: float,
        *,
        streams: bool = False,
    ) -> Reply:
        """Return the reply to JSON.

        `silence_s`: how long it may send nothing before it counts as broken.

        A request that was sent on a kept connection and of whose reply not a byte came is sent
        again, on a new connection: most likely the peer had closed the kept one, or is no
        longer reached by it. On a new connection a request is sent once: what was sent may be what
        the replica died of, and the scheduler knows how often and where to try again. `streams`:
        the reply's headers are not expected to wait for the whole answer.

        Raises CannotConnect where the replica cannot be connected to, else as `Reply.pour`.
        """
        server, path = server_of(url, self._sockets)
        request = _request(server, path, body, headers)
        pool = self._pools[server]
        kept = pool.take()
        if kept is not None:
            reply = await self._ask_kept(server, pool, kept, request, silence_s, streams)
            if reply is not None:
                return reply
            log.debug("a kept connection to %s was dead", server.authority)
            pool.close()  # The others are most likely dead, too.
        connection = await self._open(server, was_sent=kept is not None)
        return await self._ask(server, pool, connection, request, silence_s, streams)

    async def is_listening(self, url: str) -> bool:
        """Return whether connections are accepted there.

        Where it cannot be told at once, they may be.
        """
        server, _ = server_of(url, self._sockets)
        try:
            async with asyncio.timeout(_LISTENS_S):
                transport, _ = await connect(server, asyncio.Protocol)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
        transport.abort()
        return True

    def take_back(self, server: Server, connection: Connection) -> None:
        """Record that the connection's request is over."""
        if connection.keep(self._timeouts.keepalive_s):
            self._pools[server].put(connection)

    def close(self) -> None:
        """Close what is idle."""
        for pool in self._pools.values():
            pool.close()

    async def _ask_kept(
        self,
        server: Server,
        pool: Pool,
        kept: Connection,
        request: bytes,
        silence_s: float,
        streams: bool,
    ) -> Reply | None:
        """Return the reply; None where the connection turns out to be dead."""
        limit_s = silence_s
        if streams:
            limit_s = min(silence_s, pool.header_limit_s(self._timeouts.stale_s))
        try:
            reply = await self._ask(server, pool, kept, request, limit_s, streams)
        except OSError as error:
            hurried = limit_s < silence_s
            if kept.answered or not self._was_dead(error, kept.waited_s, hurried):
                raise
            return None
        if reply.status == HTTPStatus.REQUEST_TIMEOUT:
            reply.release()  # The peer gave up the idle connection as the request was sent.
            return None
        kept.silence_s = reply.silence_s = silence_s
        return reply

    def _was_dead(self, error: OSError, waited_s: float, hurried: bool) -> bool:
        """Return whether an error before the first byte means that the connection was dead."""
        if isinstance(error, Silence):
            return hurried
        if isinstance(error, ConnectionError):
            # Later than that, the peer has been at work, and may have died of it.
            return waited_s <= self._timeouts.stale_s
        return True  # TCP's time-out: what was sent was never acknowledged.

    async def _ask(
        self,
        server: Server,
        pool: Pool,
        connection: Connection,
        request: bytes,
        silence_s: float,
        streams: bool,
    ) -> Reply:
        connection.send(request, silence_s)
        try:
            await connection.headers()
        except BaseException:
            connection.close()
            raise
        if streams:
            pool.observe_headers(connection.waited_s)
        return Reply(self, server, connection)

    async def _open(self, server: Server, *, was_sent: bool) -> Connection:
        limit_s = self._timeouts.connect_s
        try:
            async with asyncio.timeout(limit_s):
                _, connection = await connect(
                    server, lambda: Connection(self._timeouts.liveness), tls=server.tls
                )
        except TimeoutError as error:
            said = f"no connection to {server.authority} in {limit_s:g} s"
            raise CannotConnect(said, was_sent=was_sent) from error
        except OSError as error:
            said = f"{type(error).__name__}: {error}"
            raise CannotConnect(said, was_sent=was_sent) from error
        return connection


def _request(server: Server, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {server.authority}\r\nContent-Type: application/json\r\n"
        f"Accept-Encoding: identity\r\nContent-Length: {len(body)}\r\n"
    )
    for name, value in headers.items():
        head += f"{name}: {value}\r\n"
    lines = _OWN_LINES + len(headers)
    if head.count("\r") != lines or head.count("\n") != lines:
        raise ValueError("a header holds a line end")
    return head.encode() + b"\r\n" + body
