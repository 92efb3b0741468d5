"""The gateway as a running server: its socket, connections and routes, and its shutdown."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from cato_backend.gateway.acceptor import Acceptor
from cato_backend.gateway.connection import LINGERING_S, ClientConnection
from cato_backend.gateway.connections import Connections
from cato_backend.gateway.credentials import Credentials
from cato_backend.gateway.guard import Guard, Handler
from cato_backend.gateway.openapi import document
from cato_backend.gateway.overview import overview
from cato_backend.gateway.overview_feed import FEED, OverviewFeed
from cato_backend.gateway.routes import ROUTES
from cato_backend.gateway.sign_in import PAGE, PageFiles
from cato_backend.gateway.state import DOCUMENT, GATEWAY, Gateway
from cato_backend.gateway.tokens import authorized
from cato_backend.team.live import LiveTeams
from cato_backend.wire.addresses import is_loopback
from cato_backend.wire.discovery import new_secret

if TYPE_CHECKING:
    from cato_backend.sign_in.sign_in import SignIn

_BACKLOG = 512
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A client that is gone without a word is noticed within a minute. Seconds, seconds, probes."""
SHUTDOWN_S = 2.0
"""For what is still under way when the server closes."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket with the credentials and settings to serve on it."""

    socket: socket.socket
    credentials: Credentials
    url: str
    sign_in: SignIn | None = None
    secret: str = field(default_factory=new_secret, repr=False)
    """Proves to readers of the announcement that this process wrote it."""


def listen(
    config: ServerConfig,
    extra_tokens: tuple[str, ...] = (),
    teams: LiveTeams | None = None,
    sign_in: SignIn | None = None,
) -> Listener:
    """Bind before anything slow begins. Raises ConfigError naming the field.

    Off loopback a token or a sign-in is needed, and TLS unless `insecure` says that a proxy ends
    it.
    """
    credentials = Credentials(config, extra_tokens, teams, signs_in=sign_in is not None)
    _check_exposure(config, credentials)
    bound = _listening(config, config.port) if config.gateways == 1 else _reserve(config)
    port = bound.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    scheme = "https" if credentials.tls else "http"
    return Listener(bound, credentials, f"{scheme}://{host}:{port}", sign_in)


def _check_exposure(config: ServerConfig, credentials: Credentials) -> None:
    if is_loopback(config.host):
        return
    if not credentials.tokens and not credentials.has_people:
        raise ConfigError.of(
            "server.token_file",
            "",
            f"a file with a token, because {config.host} is not loopback; or make one: "
            "cato token create",
        )
    if not config.tls_cert and not config.insecure:
        raise ConfigError.of(
            "server.tls_cert",
            "",
            f"a certificate, because {config.host} is not loopback; or --insecure behind a proxy",
        )


def listen_beside(config: ServerConfig, port: int) -> socket.socket:
    """Return a socket that shares the port with those of other fronts. Raises ConfigError."""
    return _listening(config, port, shared=True)


def _listening(config: ServerConfig, port: int, *, shared: bool = False) -> socket.socket:
    bound = _bind(config.host, port, shared=shared, listens=True)
    _tune(bound, config.send_timeout_s)
    return bound


def _reserve(config: ServerConfig) -> socket.socket:
    """Hold the port for the fronts; nothing is accepted on the socket itself."""
    if not sys.platform.startswith("linux"):
        expected = "1: only Linux divides the connections of a port among processes"
        raise ConfigError.of("server.gateways", config.gateways, expected)
    if config.port:
        # Sockets that share a port do not exclude another server of this user.
        _bind(config.host, config.port).close()
    return _bind(config.host, config.port, shared=True)


def _bind(host: str, port: int, *, shared: bool = False, listens: bool = False) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        if listens:
            bound.listen(_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"server.host, server.port: cannot bind {host}:{port}: {error.strerror}"
        ) from error
    return bound


def _tune(bound: socket.socket, send_timeout_s: float) -> None:
    """Options that accepted connections inherit, where the system has them."""
    bound.setblocking(False)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    values = _KEEPALIVE | {"TCP_USER_TIMEOUT": int(1000 * send_timeout_s)}
    for name, value in values.items():
        option = getattr(socket, name, None)
        if option is not None:
            bound.setsockopt(socket.IPPROTO_TCP, option, value)


def make_app(gateway: Gateway) -> web.Application:
    """Return the routes, without `Guard`."""
    app = web.Application()
    app[GATEWAY] = gateway
    app[PAGE] = PageFiles()
    app[FEED] = OverviewFeed(partial(overview, gateway), gateway.runtime.clock)
    app[DOCUMENT] = orjson.dumps(document(ROUTES, needs_token=gateway.credentials.needs_token))
    for route in ROUTES:
        handler = route.handler if route.is_open else authorized(route.least_role, route.handler)
        if route.method == "GET":
            app.router.add_get(route.path, handler)
        else:
            app.router.add_route(route.method, route.path, handler)
    return app


@asynccontextmanager
async def serving(
    gateway: Gateway, listener: Listener, inner: Callable[[Handler], Handler] | None = None
) -> AsyncGenerator[None]:
    """Answers requests inside the block; after it no connection is left.

    `inner` makes the handler of requests that fronts pass on; then there is no TLS.
    """
    runner = web.AppRunner(make_app(gateway))
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("the application was not set up")
    handler: Handler = Guard(gateway, runner.server.request_handler)
    server = make_server(
        inner(handler) if inner else handler, request_factory=runner.server.request_factory
    )
    acceptor = make_acceptor(
        gateway.config.server,
        listener.socket,
        (lambda: None) if inner else (lambda: listener.credentials.tls),
        gateway.connections,
        server,
    )
    watching = asyncio.create_task(gateway.connections.watch())
    acceptor.start()
    try:
        yield
    finally:
        acceptor.stop()
        watching.cancel()
        server.pre_shutdown()
        await server.shutdown(SHUTDOWN_S)
        await runner.cleanup()
        gateway.bodies.close()


def make_server(handler: Handler, **options: Any) -> web.Server:
    """Return what reads requests from connections and has the handler answer them."""
    # Without handler_cancellation a handler outlives its client, and the engine works for no one.
    return web.Server(handler, handler_cancellation=True, **options)


def make_acceptor(
    config: ServerConfig,
    listening: socket.socket,
    tls: Callable[[], ssl.SSLContext | None],
    connections: Connections,
    server: web.Server,
) -> Acceptor:
    """Return what gives the server its connections."""
    loop, log = asyncio.get_running_loop(), _connection_log()

    def make(over_limit: bool) -> ClientConnection:
        return ClientConnection(
            server,
            connections,
            over_limit=over_limit,
            loop=loop,
            logger=log,
            access_log=None,
            keepalive_timeout=config.keepalive_timeout_s,
            lingering_time=LINGERING_S,
            auto_decompress=False,
        )

    return Acceptor(listening, tls, connections, make, config.header_timeout_s)


class _KindOnly(logging.Filter):
    """Logs only the kind of a parse error: the text that aiohttp quotes may hold a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = f"a connection failed: {type(error).__name__}", ()
        record.exc_info = None
        return True


def _connection_log() -> logging.Logger:
    log = logging.getLogger(f"{__name__}.connections")
    log.addFilter(_KindOnly())
    return log
