"""Kept connections to replicas."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from cato_backend.runtime.connections import Connection, Take

_CONNECT_S = 5.0
_LISTENS_S = 0.2
"""To refuse a connection takes one round trip."""


@dataclass(frozen=True, slots=True)
class _Server:
    host: str
    port: int
    tls: bool
    authority: str


class Reply:
    """A reply whose status is known. `release` must follow."""

    def __init__(self, upstreams: Upstreams, server: _Server, connection: Connection) -> None:
        self._upstreams = upstreams
        self._server = server
        self._connection = connection
        self.status = connection.status
        self.retry_after = connection.retry_after

    async def pour(self, take: Take) -> bool:
        """See `Connection.pour`. Raises ConnectionError, TimeoutError, BadReply."""
        return await self._connection.pour(take)

    async def read_all(self) -> bytes:
        """The whole body. Raises as `pour`."""
        return await self._connection.read_all()

    def release(self) -> None:
        """Keeps the connection where the reply was read to its end, else closes it at once."""
        self._upstreams.take_back(self._server, self._connection)


class Upstreams:
    """Opens connections as they are needed, and keeps them for as long as the replica does."""

    def __init__(self) -> None:
        self._idle: defaultdict[_Server, list[Connection]] = defaultdict(list)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], silence_s: float
    ) -> Reply:
        """The reply to JSON. `silence_s`: how long it may send nothing before it counts as broken.

        Raises OSError where the replica cannot be connected to, else as `Reply.pour`.
        """
        server, path = _split(url)
        request = _request(server, path, body, headers)
        # A kept connection that is lost before the reply is not tried anew: what was sent may be
        # what the replica died of. The scheduler knows how often and where to try again.
        connection = self._kept(server) or await _open(server)
        return await self._ask(server, connection, request, silence_s)

    async def is_listening(self, url: str) -> bool:
        """Whether connections are accepted there. Where it cannot be told at once, they may be."""
        server, _ = _split(url)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_LISTENS_S):
                transport, _ = await loop.create_connection(
                    asyncio.Protocol, server.host, server.port
                )
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
        transport.abort()
        return True

    def take_back(self, server: _Server, connection: Connection) -> None:
        """The connection's request is over."""
        if connection.done():
            self._idle[server].append(connection)

    def close(self) -> None:
        """Closes what is idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _ask(
        self, server: _Server, connection: Connection, request: bytes, silence_s: float
    ) -> Reply:
        connection.send(request, silence_s)
        try:
            await connection.headers()
        except BaseException:
            connection.done()
            raise
        return Reply(self, server, connection)

    def _kept(self, server: _Server) -> Connection | None:
        idle = self._idle[server]
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return None


async def _open(server: _Server) -> Connection:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_CONNECT_S):
        _, connection = await loop.create_connection(
            Connection, server.host, server.port, ssl=server.tls or None
        )
    return connection


@lru_cache(maxsize=1024)
def _split(url: str) -> tuple[_Server, str]:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host = parts.hostname or ""
    server = _Server(host, parts.port or (443 if tls else 80), tls, parts.netloc.rpartition("@")[2])
    return server, parts.path


def _request(server: _Server, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {server.authority}",
        "Content-Type: application/json",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line end")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
