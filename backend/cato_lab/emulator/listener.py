"""An emulated vLLM's address: opened, closed as by a shutdown, or reset as by a crash."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import WeakKeyDictionary

from aiohttp import web

from cato_backend.errors import ConfigError
from cato_lab.emulator.behaviour import Behaviour

_BACKLOG = 512
_SHUTDOWN_S = 0.1
"""Streams under way are ended, as by vLLM."""


class Listener:
    """Listens at one address, which stays the same when it is closed and opened again."""

    def __init__(
        self,
        app: web.Application,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        uds: Path | None = None,
    ) -> None:
        """`uds`: a Unix socket, instead of host and port."""
        self._host, self._port, self._tls, self._uds = host, port, tls, uds
        app.middlewares.append(self._note_busy)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=_SHUTDOWN_S
        )
        self._site: web.SockSite | None = None
        self._busy: set[web.RequestHandler] = set()
        self._requests: WeakKeyDictionary[asyncio.Transport, int] = WeakKeyDictionary()

    @property
    def url(self) -> str:
        """Where it listens, once it has been opened."""
        if self._uds is not None:
            return f"unix:{self._uds}"
        # A certificate is for a name.
        return (
            f"https://localhost:{self._port}" if self._tls else f"http://{self._host}:{self._port}"
        )

    async def start(self, behaviour: Behaviour) -> None:
        """Start to listen. Raises ConfigError where the address cannot be bound."""
        await self._runner.setup()
        if behaviour.open:
            await self._open()

    async def stop(self) -> None:
        """End every connection."""
        await self._runner.cleanup()

    async def follow(self, was: Behaviour, now: Behaviour) -> None:
        """Open or close the address, and end connections, where the behaviour says so."""
        if now.open and self._site is None:
            await self._open()
        elif not now.open and self._site is not None:
            await self._site.stop()
            self._site = None
        for handler in self._runner.server.connections if self._runner.server else ():
            if was.listening and not now.listening and handler.transport is not None:
                handler.transport.abort()
            elif was.accepting and not now.accepting:
                # `close` waits for the answer under way, and leaves an idle connection open.
                (handler.close if handler in self._busy else handler.force_close)()

    def exceeds(self, limit: int | None, request: web.Request) -> bool:
        """Count the connection's requests, and resets it where it has brought too many."""
        transport = request.transport
        if transport is None or limit is None:
            return False
        self._requests[transport] = self._requests.get(transport, 0) + 1
        if self._requests[transport] <= limit:
            return False
        transport.abort()
        return True

    async def _open(self) -> None:
        if self._uds is not None:
            bound = _bind_unix(self._uds)
        else:
            bound = _bind(self._host, self._port)
            self._port = bound.getsockname()[1]
        self._site = web.SockSite(self._runner, bound, backlog=_BACKLOG, ssl_context=self._tls)
        await self._site.start()

    @web.middleware
    async def _note_busy(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self._busy.add(request.protocol)
        try:
            return await handler(request)
        finally:
            self._busy.discard(request.protocol)


def _bind_unix(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path.unlink(missing_ok=True)
    try:
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise ConfigError.of("--uds", str(path), f"a file that can be made: {error}") from error
    return bound


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        why = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"host and port: cannot bind {host}:{port}: {why}; --port 0 picks a free port"
        ) from error
    return bound
