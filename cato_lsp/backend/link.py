"""Finds, starts and checks one connection's backend, in a task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from cato_backend.wire.discovery import UntrustedAnnouncement
from cato_lsp.backend.discovery import (
    Origin,
    StartedBackend,
    Target,
    UntrustedTokens,
    can_start_backend,
    locate,
    start_backend,
)
from cato_lsp.backend.failures import BackendFailure, Denied, Refused, Unreachable
from cato_lsp.backend.models import Model
from cato_lsp.settings.settings import BackendSettings

if TYPE_CHECKING:
    from cato_lsp.backend.client import BackendClient

log = logging.getLogger(__name__)

HEALTH_EVERY_S = 10.0

FIRST_PAUSE_S = 0.25

LONGEST_PAUSE_S = 10.0

WHILE_STARTING_S = 0.5

NONE_FOUND = "no backend is running: start one with `cato serve`, or set backend.url"


class State(StrEnum):
    """States of the connection to the backend."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    DISABLED = "disabled"
    UNAUTHORIZED = "unauthorized"


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """State of the connection to the backend."""

    state: State
    message: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A backend that answers."""

    client: BackendClient
    model: Model
    round_trip_ms: float


class Link:
    """Looks for the backend of `settings()` at intervals, and reports each change."""

    def __init__(
        self, settings: Callable[[], BackendSettings], changed: Callable[[], None]
    ) -> None:
        self.status = BackendStatus(State.STARTING, "looking for a backend")
        self.connection: Connection | None = None
        self._settings = settings
        self._changed = changed
        self._client: BackendClient | None = None
        self._started: StartedBackend | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._looked = asyncio.Event()
        self._ever_looked = asyncio.Event()
        self._pause_s = FIRST_PAUSE_S
        self._refused = False
        """Whether a request was refused for a reason that holds for all of them."""

    def start(self) -> None:
        """Begin to look, in the background."""
        self._keeping = asyncio.create_task(self._keep())
        self._keeping.add_done_callback(_report)

    def look_again(self) -> None:
        """Look for the backend now, because something that was tried failed."""
        self._pause_s = FIRST_PAUSE_S
        self._wake.set()

    def failed(self, client: BackendClient, failure: BackendFailure) -> None:
        """Report a failure that other requests will share, and look for the backend again."""
        if client is not self._client:
            return
        if isinstance(failure, Refused):
            self._refused, self.connection = True, None
            self._set_status(BackendStatus(_state_after(failure), str(failure), client.target.url))
        self.look_again()

    def answered(self, client: BackendClient, status: int) -> None:
        """Record the status of a request that was sent by `post`."""
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            self.failed(client, Denied("the backend refuses the token", status=status))

    def restart(self) -> None:
        """Forget what was found and look again, starting a backend where that is allowed."""
        self._started = None
        self.connection = None
        self._set_status(BackendStatus(State.STARTING, "looking for a backend"))
        self.look_again()

    async def looked(self) -> None:
        """Wait for the end of the next look."""
        self._looked.clear()
        await self._looked.wait()

    async def ever_looked(self) -> None:
        """Wait until it is known whether there is a backend."""
        await self._ever_looked.wait()

    async def close(self) -> None:
        """End every request and the search; a backend that was started lives on."""
        self.connection = None
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._use(None)

    async def _keep(self) -> None:
        make_client = await asyncio.to_thread(_client_class)
        while True:
            self._wake.clear()
            self._set_status(await self._looked_safely(make_client))
            self._looked.set()
            self._ever_looked.set()
            await self._rest()

    async def _looked_safely(self, make_client: type[BackendClient]) -> BackendStatus:
        try:
            return await self._look(make_client)
        except Exception as error:
            # The search continues, whatever went wrong.
            log.exception("a look for the backend failed")
            self.connection = None
            return BackendStatus(
                State.UNREACHABLE, f"the look failed: {type(error).__name__}, see log"
            )

    async def _rest(self) -> None:
        timer = asyncio.get_running_loop().call_later(self._next_pause_s(), self._wake.set)
        await self._wake.wait()
        timer.cancel()

    def _next_pause_s(self) -> float:
        if self.status.state is State.READY:
            self._pause_s = FIRST_PAUSE_S
            return HEALTH_EVERY_S
        if self.status.state is State.STARTING:
            return WHILE_STARTING_S
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        return self._pause_s

    async def _look(self, make_client: type[BackendClient]) -> BackendStatus:
        settings = self._settings()
        if settings.fault:
            return await self._lost(BackendStatus(State.UNREACHABLE, settings.fault))
        try:
            target = locate(settings)
        except (UntrustedAnnouncement, UntrustedTokens) as error:
            return await self._lost(BackendStatus(State.UNREACHABLE, str(error)))
        if target is None:
            return await self._lost(await self._none_found())
        if self._client is None or self._client.target != target:
            await self._use(make_client(target))
        return await self._ask(target)

    async def _ask(self, target: Target) -> BackendStatus:
        try:
            await self._connect()
        except BackendFailure as failure:
            self.connection = None
            if isinstance(failure, Unreachable) and target.origin is Origin.DISCOVERED:
                # The announcement outlived its process: as good as none.
                return await self._none_found()
            return BackendStatus(_state_after(failure), str(failure), target.url)
        self._started = None
        return BackendStatus(State.READY, "ready", target.url)

    async def _connect(self) -> None:
        client = self._client
        assert client is not None
        round_trip_ms = await client.health()
        # Each time: a backend may serve another model by now.
        model = await client.model()
        if self._refused:
            # It says that it is well, and refused: only a request can tell.
            await client.prove(model)
            self._refused = False
        self.connection = Connection(client, model, round_trip_ms)

    async def _none_found(self) -> BackendStatus:
        if self._started is None:
            if not (self._settings().autostart and can_start_backend()):
                return BackendStatus(State.UNREACHABLE, NONE_FOUND)
            try:
                self._started = await asyncio.to_thread(start_backend)
            except OSError as error:
                return BackendStatus(
                    State.UNREACHABLE, f"no backend could be started: {error.strerror}"
                )
        failure = self._started.failure()
        if failure is not None:
            return BackendStatus(State.UNREACHABLE, f"the backend did not start: {failure}")
        return BackendStatus(State.STARTING, "starting a backend on this machine")

    async def _lost(self, status: BackendStatus) -> BackendStatus:
        await self._use(None)
        return status

    async def _use(self, client: BackendClient | None) -> None:
        self.connection, self._refused = None, False
        former, self._client = self._client, client
        if former is not None:
            await former.close()

    def _set_status(self, status: BackendStatus) -> None:
        if status != self.status:
            log.info("backend: %s: %s", status.state, status.message)
            self.status = status
            self._changed()


def _client_class() -> type[BackendClient]:
    # aiohttp takes longer to import than the server takes to initialize: late, and in a thread.
    from cato_lsp.backend.client import BackendClient

    return BackendClient


def _state_after(failure: BackendFailure) -> State:
    if isinstance(failure, Denied):
        return State.UNAUTHORIZED
    loading = isinstance(failure, Refused) and failure.status == 503
    return State.STARTING if loading else State.UNREACHABLE


def _report(keeping: asyncio.Task[None]) -> None:
    if not keeping.cancelled() and keeping.exception() is not None:
        log.error("the search for the backend ended", exc_info=keeping.exception())
