"""The gateway as a running server: its socket, its connections, the routes, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
from aiohttp import web

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from cato_backend.gateway.acceptor import Acceptor
from cato_backend.gateway.connection import LINGERING_S, ClientConnection
from cato_backend.gateway.credentials import Credentials, Tokens, is_loopback
from cato_backend.gateway.guard import Guard
from cato_backend.gateway.routes import ROUTES, document
from cato_backend.gateway.state import DOCUMENT, GATEWAY, Gateway

_BACKLOG = 512
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A client that is gone without a word is noticed within a minute. Seconds, seconds, probes."""
_SHUTDOWN_S = 2.0
"""For what is still under way when the server closes."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, and what it takes to serve on it."""

    socket: socket.socket
    credentials: Credentials
    url: str


def listen(config: ServerConfig, extra_tokens: tuple[str, ...] = ()) -> Listener:
    """Bind before anything slow begins. Raises ConfigError naming the field.

    Off loopback a token is needed, and TLS unless `insecure` says that a proxy ends it.
    """
    credentials = Credentials(config, extra_tokens)
    _check_exposure(config, credentials.tokens)
    bound = _bind(config.host, config.port)
    _tune(bound, config.send_timeout_s)
    port = bound.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    scheme = "https" if credentials.tls else "http"
    return Listener(bound, credentials, f"{scheme}://{host}:{port}")


def _check_exposure(config: ServerConfig, tokens: Tokens) -> None:
    if is_loopback(config.host):
        return
    if not tokens:
        raise ConfigError.of(
            "server.token_file", "", f"a file with a token, because {config.host} is not loopback"
        )
    if not config.tls_cert and not config.insecure:
        raise ConfigError.of(
            "server.tls_cert",
            "",
            f"a certificate, because {config.host} is not loopback; or --insecure behind a proxy",
        )


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
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
    """Return the routes; `Guard` stands in front of them."""
    app = web.Application()
    app[GATEWAY] = gateway
    app[DOCUMENT] = orjson.dumps(document(ROUTES, needs_token=bool(gateway.credentials.tokens)))
    for route in ROUTES:
        add = app.router.add_get if route.method == "GET" else app.router.add_post
        add(route.path, route.handler)
    return app


@asynccontextmanager
async def serving(gateway: Gateway, listener: Listener) -> AsyncGenerator[None]:
    """Answers requests inside the block; after it no connection is left."""
    runner = web.AppRunner(make_app(gateway))
    await runner.setup()
    server = _server(gateway, runner)
    acceptor = _acceptor(gateway, listener, server)
    watching = asyncio.create_task(gateway.connections.watch())
    acceptor.start()
    try:
        yield
    finally:
        acceptor.stop()
        watching.cancel()
        server.pre_shutdown()
        await server.shutdown(_SHUTDOWN_S)
        await runner.cleanup()
        gateway.bodies.close()


def _server(gateway: Gateway, runner: web.AppRunner) -> web.Server:
    routes = runner.server
    if routes is None:
        raise RuntimeError("the application was not set up")
    # Without handler_cancellation a handler outlives its client, and the engine works for no one.
    return web.Server(
        Guard(gateway, routes.request_handler),
        request_factory=routes.request_factory,
        handler_cancellation=True,
    )


def _acceptor(gateway: Gateway, listener: Listener, server: web.Server) -> Acceptor:
    config, loop, log = gateway.config.server, asyncio.get_running_loop(), _connection_log()

    def make(over_limit: bool) -> ClientConnection:
        return ClientConnection(
            server,
            gateway.connections,
            over_limit=over_limit,
            loop=loop,
            logger=log,
            access_log=None,
            keepalive_timeout=config.keepalive_timeout_s,
            lingering_time=LINGERING_S,
            auto_decompress=False,
        )

    return Acceptor(
        listener.socket,
        lambda: listener.credentials.tls,
        gateway.connections,
        make,
        config.header_timeout_s,
    )


class _KindOnly(logging.Filter):
    """aiohttp quotes what it could not parse, and that may be a token: only its kind is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = f"a connection failed: {type(error).__name__}", ()
        record.exc_info = None
        return True


def _connection_log() -> logging.Logger:
    log = logging.getLogger(f"{__name__}.connections")
    log.addFilter(_KindOnly())
    return log
