"""Who takes the connections of clients: this process, or fronts before it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from cato_backend.clock import monotonic
from cato_backend.config import Config
from cato_backend.errors import ConfigError
from cato_backend.fronts.clients import FrontClients
from cato_backend.fronts.relay import inner
from cato_backend.fronts.supervision import Fronts, fronts_running, relay_socket
from cato_backend.gateway.connections import ConnectionLimits, Connections
from cato_backend.gateway.server import Listener, serving
from cato_backend.gateway.state import Gateway
from cato_backend.metrics import Metrics
from cato_backend.replicas.sockets import socket_folder


def clients_of(config: Config, limits: ConnectionLimits, metrics: Metrics) -> Connections:
    """Return what knows the connections of clients."""
    kind = Connections if config.server.gateways == 1 else FrontClients
    return kind(limits, metrics, monotonic)


async def serve_clients(
    gateway: Gateway, listener: Listener, on_news: Callable[[str], None], stack: AsyncExitStack
) -> Fronts | None:
    """Answer requests until the stack closes; return the fronts, where there are any.

    Raises ConfigError, and EngineError where a front cannot start.
    """
    clients = gateway.connections
    if not isinstance(clients, FrontClients):
        await stack.enter_async_context(serving(gateway, listener))
        return None
    folder = stack.enter_context(socket_folder()).path
    if folder is None:
        raise ConfigError(
            "server.gateways: no folder for sockets; set XDG_RUNTIME_DIR to one with a short path"
        )
    port = listener.socket.getsockname()[1]
    inside = stack.enter_context(contextlib.closing(relay_socket(folder)))
    await stack.enter_async_context(serving(gateway, replace(listener, socket=inside), inner))
    fronts = await stack.enter_async_context(
        fronts_running(gateway, clients, folder, port, on_news)
    )
    # Nobody could ask for anything before.
    gateway.runtime.last_asked = gateway.runtime.clock()
    return fronts
