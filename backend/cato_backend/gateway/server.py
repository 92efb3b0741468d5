"""The gateway as a running server: the socket, TLS, and an orderly end."""

from __future__ import annotations

import logging
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from cato_backend.gateway.app import make_app
from cato_backend.gateway.auth import Tokens, is_loopback, read_tokens
from cato_backend.gateway.state import Gateway

_BACKLOG = 512
_SHUTDOWN_S = 2.0
"""For streams under way, once the end was asked for."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, and what it takes to serve on it."""

    socket: socket.socket
    tokens: Tokens
    tls: ssl.SSLContext | None
    url: str


def listen(config: ServerConfig, extra_tokens: tuple[str, ...] = ()) -> Listener:
    """Binds before anything slow begins. Raises ConfigError naming the field.

    Off loopback a token is needed, and TLS unless `insecure` says that a proxy ends it.
    """
    tokens = Tokens(extra_tokens)
    if config.token_file:
        tokens = read_tokens(Path(config.token_file).expanduser())
    _check_exposure(config, tokens)
    tls = _tls(config)
    bound = _bind(config.host, config.port)
    port = bound.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    return Listener(bound, tokens, tls, f"http{'s' if tls else ''}://{host}:{port}")


async def serve(gateway: Gateway, listener: Listener) -> web.AppRunner:
    """Starts to answer. `await runner.cleanup()` ends it, streams under way included."""
    # Without handler_cancellation a handler outlives its client, and the engine works for nobody.
    runner = web.AppRunner(
        make_app(gateway),
        handler_cancellation=True,
        access_log=None,
        logger=_connection_log(),
        shutdown_timeout=_SHUTDOWN_S,
    )
    await runner.setup()
    site = web.SockSite(runner, listener.socket, ssl_context=listener.tls, backlog=_BACKLOG)
    await site.start()
    return runner


class _KindOnly(logging.Filter):
    """aiohttp quotes what it could not parse, and that may be a token: only its kind is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = f"a request could not be read: {type(error).__name__}", ()
        record.exc_info = None
        return True


def _connection_log() -> logging.Logger:
    log = logging.getLogger(f"{__name__}.connections")
    log.addFilter(_KindOnly())
    return log


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


def _tls(config: ServerConfig) -> ssl.SSLContext | None:
    if bool(config.tls_cert) != bool(config.tls_key):
        missing = "server.tls_key" if config.tls_cert else "server.tls_cert"
        raise ConfigError.of(missing, "", "a file: certificate and key come together")
    if not config.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"server.tls_cert, server.tls_key: {config.tls_cert}, {config.tls_key}: {error}"
        ) from error
    return context


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise ConfigError(
            f"server.host, server.port: cannot bind {host}:{port}: {error.strerror}"
        ) from error
    return bound
