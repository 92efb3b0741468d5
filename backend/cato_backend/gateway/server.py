"""The gateway as a running server: connections in, requests to the routes, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

from cato_backend.gateway.acceptor import Acceptor
from cato_backend.gateway.connection import LINGERING_S, ClientConnection
from cato_backend.gateway.guard import Guard
from cato_backend.gateway.listening import Listener
from cato_backend.gateway.openapi import document
from cato_backend.gateway.routes import ROUTES
from cato_backend.gateway.state import DOCUMENT, GATEWAY, Gateway

_SHUTDOWN_S = 2.0
"""For what is still under way when the server closes."""


def make_app(gateway: Gateway) -> web.Application:
    """The routes; `Guard` stands in front of them."""
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
