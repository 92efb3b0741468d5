"""The listening socket, and what it takes to serve on it."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from cato_backend.gateway.credentials import Credentials, Tokens, is_loopback

_BACKLOG = 512
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A client that is gone without a word is noticed within a minute. Seconds, seconds, probes."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, and what it takes to serve on it."""

    socket: socket.socket
    credentials: Credentials
    url: str


def listen(config: ServerConfig, extra_tokens: tuple[str, ...] = ()) -> Listener:
    """Binds before anything slow begins. Raises ConfigError naming the field.

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
