"""The process of one front: what it is told, and what ends it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from cato_backend.clock import monotonic
from cato_backend.config import Config
from cato_backend.errors import CatoError, ConfigError
from cato_backend.fronts.link import Link, Order
from cato_backend.fronts.messages import (
    Cut,
    Draining,
    Hello,
    Listening,
    Quiet,
    Report,
    Settings,
    Stop,
)
from cato_backend.fronts.relay import relay_session
from cato_backend.fronts.server import Front, front_serving
from cato_backend.gateway.acceptor import raise_limit
from cato_backend.gateway.connections import ConnectionLimits, Connections
from cato_backend.gateway.credentials import read_certificate
from cato_backend.gateway.incoming import BodyReader
from cato_backend.gateway.server import listen_beside
from cato_backend.gateway.trusted_proxies import TrustedProxies
from cato_backend.logs import FRONT_LOG, LogFormat, set_up
from cato_backend.metrics import Metrics

LINK, RELAY = "link.sock", "relay.sock"
"""Sockets of the scheduler's process, in a folder of its own."""
ORPHANED = 70
"""Exit status of a front whose scheduler has ended: EX_SOFTWARE."""
_GC_THRESHOLDS = (20_000, 20, 50)
"""As in the scheduler's process: hardly anything is in cycles."""


def main(folder: Path, number: int) -> int:
    """Serve until the scheduler's process says so, or ends. Returns the exit status."""
    # What ends the server, or has it read its files again, is sent to the scheduler's process.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    raise_limit()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    process = FrontProcess(folder, number)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(process.until_ended())
        except CatoError as error:
            FRONT_LOG.error("%s", error)
            return 1


class FrontProcess:
    """Follows the orders of the scheduler's process."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._number = number
        self._began = monotonic()
        self._link = Link(self._obey)
        self._settings: Settings | None = None
        self._is_set = asyncio.Event()
        self._front: Front | None = None
        self._stopped = asyncio.Event()
        self._watching: set[asyncio.Task[None]] = set()

    async def until_ended(self) -> int:
        """Return the exit status. Raises ConfigError."""
        loop = asyncio.get_running_loop()
        lost = asyncio.create_task(self._link.lost.wait())
        try:
            await loop.create_unix_connection(lambda: self._link, str(self._folder / LINK))
        except OSError:
            return self._orphaned()
        self._link.send(Hello(self._number, os.getpid()))
        told = asyncio.create_task(self._is_set.wait())
        await asyncio.wait((told, lost), return_when=asyncio.FIRST_COMPLETED)
        if self._link.lost.is_set():
            return self._orphaned()
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(relay_session(str(self._folder / RELAY)))
            assert self._settings is not None
            settings = self._settings
            config = self._configured(settings)
            self._front = Front(
                config,
                self._link,
                session,
                Connections(_limits(settings, config), metrics := Metrics(), monotonic),
                BodyReader(config.server),
                metrics,
                TrustedProxies(config.server.trusted_proxies),
                read_certificate(config.server),
            )
            listening = listen_beside(config.server, settings.port)
            stack.enter_context(contextlib.closing(listening))
            await stack.enter_async_context(front_serving(self._front, listening))
            self._link.send(Listening())
            stopped = asyncio.create_task(self._stopped.wait())
            await asyncio.wait((stopped, lost), return_when=asyncio.FIRST_COMPLETED)
            return 0 if stopped.done() else self._orphaned()

    def _orphaned(self) -> int:
        FRONT_LOG.error("the scheduler's process has ended, and this one with it")
        return ORPHANED

    def _obey(self, order: Order) -> None:
        if isinstance(order, Settings):
            self._set(order)
        elif isinstance(order, Stop):
            self._stopped.set()
        elif self._front is not None:
            self._act(self._front, order)

    def _act(self, front: Front, order: Report | Draining | Cut) -> None:
        match order:
            case Report():
                self._link.send(front.counts())
            case Draining(left_s):
                front.drain.begin(left_s)
                watching = asyncio.create_task(self._tell_quiet(front))
                self._watching.add(watching)
                watching.add_done_callback(self._watching.discard)
            case Cut():
                front.drain.is_cutting = True
                front.connections.cut()

    async def _tell_quiet(self, front: Front) -> None:
        await front.connections.wait_quiet()
        self._link.send(Quiet())

    def _set(self, settings: Settings) -> None:
        self._settings = settings
        self._is_set.set()
        front = self._front
        if front is None:
            return
        front.config = config = self._configured(settings)
        front.proxies = TrustedProxies(config.server.trusted_proxies)
        try:
            front.tls = read_certificate(config.server)
        except ConfigError as error:
            FRONT_LOG.error("%s; the former certificate stays in use", error)

    def _configured(self, settings: Settings) -> Config:
        config = Config.model_validate_json(settings.config)
        name = f"front {self._number}"
        set_up(LogFormat(config.log.format), config.log.level, self._began, process=name)
        return config


def _limits(settings: Settings, config: Config) -> ConnectionLimits:
    server = config.server
    return ConnectionLimits(
        total=settings.connections,
        idle=settings.idle,
        header_s=server.header_timeout_s,
        send_s=server.send_timeout_s,
        unread_bytes=server.max_body_bytes,
    )
