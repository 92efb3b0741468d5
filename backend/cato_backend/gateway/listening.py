"""The listening socket, and what it takes to serve on it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from cato_backend.gateway.auth import Tokens, is_loopback, read_tokens

_BACKLOG = 512
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A client that is gone without a word is noticed within a minute. Seconds, seconds, probes."""


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
    _tune(bound, config.send_timeout_s)
    port = bound.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    return Listener(bound, tokens, tls, f"http{'s' if tls else ''}://{host}:{port}")


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
