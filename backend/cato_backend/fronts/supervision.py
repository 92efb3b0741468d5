"""Front processes and who takes the connections of clients: this process, or fronts before it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

from cato_backend.clock import monotonic
from cato_backend.config import Config
from cato_backend.errors import ConfigError, EngineError
from cato_backend.fronts.clients import FrontClients
from cato_backend.fronts.hub import FrontLink
from cato_backend.fronts.messages import Settings, Stop
from cato_backend.fronts.process import LINK, RELAY
from cato_backend.fronts.relay import inner
from cato_backend.gateway.connections import ConnectionLimits, Connections
from cato_backend.gateway.server import Listener, serving
from cato_backend.gateway.state import Gateway
from cato_backend.logs import NewsWarning
from cato_backend.metrics import Metrics
from cato_backend.replicas.sockets import socket_folder

_OF_FRONTS = {"server", "oidc", "log"}
"""What a front needs of the configuration; there is no token in it."""
_BACKLOG = 4096
"""A connection of a front that finds it full is refused at once."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 15.0
_SETTLED_S = 30.0
"""A front that ran for so long is started again after the shortest pause."""
_END_S = 6.0
"""For a front to close its connections; then it is killed."""


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
    inside = stack.enter_context(closing(_relay_socket(folder)))
    await stack.enter_async_context(serving(gateway, replace(listener, socket=inside), inner))
    fronts = await stack.enter_async_context(_running(gateway, clients, folder, port, on_news))
    # No request could arrive before: the time without requests begins now.
    gateway.runtime.last_asked = gateway.runtime.clock()
    return fronts


def _relay_socket(folder: Path) -> socket.socket:
    """Return the listening socket of this process for what fronts pass on."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(folder / RELAY))
    bound.listen(_BACKLOG)
    bound.setblocking(False)
    return bound


@asynccontextmanager
async def _running(
    gateway: Gateway,
    clients: FrontClients,
    folder: Path,
    port: int,
    on_news: Callable[[str], None],
) -> AsyncGenerator[Fronts]:
    """Every front takes connections at the start of the block; after it none is left.

    Raises EngineError where one cannot start.
    """
    fronts = Fronts(gateway, clients, folder, port, on_news)
    await fronts.open()
    try:
        await fronts.wait_first()
        yield fronts
    finally:
        await fronts.close()


class Fronts:
    """The fronts of a server."""

    def __init__(
        self,
        gateway: Gateway,
        clients: FrontClients,
        folder: Path,
        port: int,
        on_news: Callable[[str], None],
    ) -> None:
        self._gateway = gateway
        self._clients = clients
        self._folder = folder
        self._port = port
        self._on_news = on_news
        self._server: asyncio.Server | None = None
        self._processes: dict[int, Process] = {}
        self._listening: dict[int, asyncio.Event] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[EngineError] = asyncio.get_running_loop().create_future()
        """A front that ended before it took connections for the first time."""

    async def open(self) -> None:
        """Start the fronts."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._link, str(self._folder / LINK))
        for number in range(1, self._gateway.config.server.gateways + 1):
            self._listening[number] = asyncio.Event()
            self._keeping.append(asyncio.create_task(self._keep(number)))

    async def wait_first(self) -> None:
        """Return once each front has taken connections. Raises EngineError."""
        all_listen = asyncio.gather(*(event.wait() for event in self._listening.values()))
        await asyncio.wait((all_listen, self._failed), return_when=asyncio.FIRST_COMPLETED)
        all_listen.cancel()
        if self._failed.done():
            raise self._failed.result()

    async def configure(self) -> None:
        """Return once every front has taken over the configuration that is in force."""
        self._clients.tell(self._settings())
        # A front follows its orders one after the other.
        await self._clients.refresh()

    async def close(self) -> None:
        """End the fronts; what they still write has some seconds."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        self._clients.tell(Stop())
        await asyncio.gather(*map(_ended, self._processes.values()))
        if self._server is not None:
            self._server.close()

    def _link(self) -> FrontLink:
        return FrontLink(self._gateway, self._is_ours, self._on_link)

    def _is_ours(self, process: int, user: int) -> bool:
        return user == os.getuid() and any(process == each.pid for each in self._processes.values())

    def _on_link(self, link: FrontLink) -> None:
        if link.is_gone:
            self._clients.links.discard(link)
        elif link.listens:
            self._listening[link.number].set()
        else:
            self._clients.links.add(link)
            link.send(self._settings())

    def _settings(self) -> Settings:
        config, limits = self._gateway.config, self._clients.limits
        fronts = config.server.gateways
        return Settings(
            config.model_dump_json(include=_OF_FRONTS).encode(),
            self._port,
            max(1, limits.total // fronts),
            max(1, limits.idle // fronts),
        )

    async def _keep(self, number: int) -> None:
        """Start a front, and start it again whenever it ends, until cancelled."""
        pause_s = _FIRST_PAUSE_S
        while not self._drains():
            began = monotonic()
            try:
                status = await self._life(number)
            except OSError as error:
                self._on_news(NewsWarning(f"front {number} cannot be started: {error.strerror}"))
                status = os.EX_OSERR
            if not self._listening[number].is_set():
                self._fail(number, status)
                return
            if self._drains():
                return
            if monotonic() - began >= _SETTLED_S:
                pause_s = _FIRST_PAUSE_S
            text = (
                f"front {number} ended with {_how(status)}; the others serve,"
                f" and it is started again in {pause_s:g} s"
            )
            self._on_news(NewsWarning(text))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _drains(self) -> bool:
        return self._gateway.drain.is_draining

    async def _life(self, number: int) -> int:
        process = self._processes[number] = await asyncio.create_subprocess_exec(
            # -P: modules of the working directory are not imported.
            *(sys.executable, "-P", "-m", "cato_backend.fronts", str(self._folder), str(number)),
            stdin=DEVNULL,
            # What the terminal sends is for the scheduler's process alone.
            start_new_session=True,
        )
        return await process.wait()

    def _fail(self, number: int, status: int) -> None:
        if not self._failed.done():
            self._failed.set_result(
                EngineError(f"front {number} could not start: it ended with {_how(status)}")
            )


async def _ended(process: Process) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await process.wait()
            return
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
