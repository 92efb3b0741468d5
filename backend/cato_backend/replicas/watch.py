"""Health checks of one replica, with back-off after failures.

Describes it, checks its health, and describes it again after each absence. The waits between two
attempts grow as those of gRPC: exponentially, with jitter.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import aiohttp

from cato_backend.errors import ReplicaUnavailable
from cato_backend.replicas.probe import check_health, describe
from cato_backend.replicas.replica import Replica

_MOST_DOUBLINGS = 64
"""Beyond it any wait is the longest; a power of a count without a bound would overflow."""

_IN_DEMAND_S = 0.25
"""Between two looks at a replica that is away while requests wait for a replica."""

_LEAST_GAP_S = 0.1
"""Least time between two looks at a replica that is up."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with jitter; waits in seconds (gRPC's connection-backoff.md)."""

    initial_s: float = 1.0
    multiplier: float = 1.6
    jitter: float = 0.2
    """Share of each wait that is added or taken at random."""
    max_s: float = 30.0

    def delay_s(self, failures: int, chance: float = 0.5) -> float:
        """Return the wait after failures in a row, from 1. `chance` is between 0 and 1."""
        grown = self.initial_s * self.multiplier ** min(failures - 1, _MOST_DOUBLINGS)
        return min(self.max_s, grown) * (1 + self.jitter * (2 * chance - 1))


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """The values of `config.HealthCheckConfig`."""

    interval_s: float = 1.0
    timeout_s: float = 5.0
    unhealthy_threshold: int = 3
    models_interval_s: float = 5.0
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class WatchedServer:
    """A server that is watched as a replica."""

    replica_id: str
    url: str
    model: str = ""
    """The model that it must serve; empty takes the first one that it lists."""
    api_key: str | None = field(default=None, repr=False)


class WatchListener(Protocol):
    """Receives what a watch finds."""

    async def admit(self, replica: Replica) -> None:
        """Take a replica that is healthy and described into service. Raises ReplicaUnavailable."""
        ...

    def on_changed(self, replica: Replica) -> None:
        """Handle a replica that serves the same model with other adapters or another context."""
        ...

    def on_unavailable(self, replica_id: str, trouble: ReplicaUnavailable) -> None:
        """Take a replica out of service until it is admitted again; called after each failure."""
        ...


class Watch:
    """Watches one replica. `is_in_demand` tells whether requests wait for a replica."""

    def __init__(
        self,
        target: WatchedServer,
        policy: WatchPolicy,
        session: aiohttp.ClientSession,
        listener: WatchListener,
        is_in_demand: Callable[[], bool],
    ) -> None:
        self._target = target
        self._policy = policy
        self._session = session
        self._listener = listener
        self._is_in_demand = is_in_demand
        self._clock = asyncio.get_running_loop().time
        self._asked = asyncio.Event()
        self._waiting: list[asyncio.Future[bool]] = []
        self._lost = False

    def look(self) -> None:
        """Request a health check at once."""
        self._asked.set()

    def lose(self) -> None:
        """Report that the replica was taken out of service: it must be admitted again."""
        self._lost = True
        self.look()

    async def confirm(self) -> bool:
        """Describe the replica at once; return whether it is up and serves what it served."""
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(found)
        self.look()
        return await found

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        try:
            failures = 0
            while True:
                replica = await self._until_admitted(failures)
                self._lost, admitted_at = False, self._clock()
                trouble = await self._until_unavailable(replica)
                if trouble is not None:
                    self._listener.on_unavailable(self._target.replica_id, trouble)
                self._answer(self._take_waiting(), confirmed=False)
                # A replica that is lost as soon as it is admitted would be admitted in a loop.
                was_up = self._clock() - admitted_at >= self._policy.backoff.initial_s
                failures = 0 if was_up else failures + 1
        finally:
            self._answer(self._take_waiting(), confirmed=False)

    async def _until_admitted(self, failures: int) -> Replica:
        """Return the replica once the listener has admitted it; `failures`: in a row until now."""
        while True:
            if failures:
                await self._back_off(self._policy.backoff.delay_s(failures, random.random()))
            waiting = self._begin_look()
            try:
                return await self._guarded(self._admitted())
            except ReplicaUnavailable as trouble:
                self._listener.on_unavailable(self._target.replica_id, trouble)
            finally:
                # The replica was away when they asked, even where it is back now.
                self._answer(waiting, confirmed=False)
            failures += 1

    async def _until_unavailable(self, replica: Replica) -> ReplicaUnavailable | None:
        """Return why the replica cannot serve any longer; None where `lose` was called."""
        failures, described_at = 0, self._clock()
        while True:
            await self._wait_for_look()
            if self._lost:
                return None
            waiting = self._begin_look()
            is_due = self._clock() - described_at >= self._policy.models_interval_s
            describes = is_due or bool(waiting)
            known = replica
            try:
                replica = await self._guarded(self._looked_at(known, describes))
            except ReplicaUnavailable as trouble:
                failures += 1
                if trouble.is_certain or failures >= self._policy.unhealthy_threshold:
                    self._waiting += waiting  # They are answered after the listener is told.
                    return trouble
                self._answer(waiting, confirmed=False)
            else:
                failures, described_at = 0, self._clock() if describes else described_at
                self._answer(waiting, confirmed=replica == known)

    async def _admitted(self) -> Replica:
        await self._check_health()
        replica = await self._describe()
        await self._listener.admit(replica)
        return replica

    async def _looked_at(self, replica: Replica, describes: bool) -> Replica:
        await self._check_health()
        return self._compared(replica, await self._describe()) if describes else replica

    async def _guarded(self, look: Awaitable[Replica]) -> Replica:
        """Await a look. Raises ReplicaUnavailable for defects too: they must not end the watch."""
        try:
            return await look
        except ReplicaUnavailable:
            raise
        except Exception as error:
            log.exception("a defect while %s was described", self._target.replica_id)
            raise ReplicaUnavailable(
                f"it could not be described ({type(error).__name__})",
                "report the trace in the log",
            ) from error

    def _compared(self, known: Replica, found: Replica) -> Replica:
        """Return `found`. Raises ReplicaUnavailable where its model is another one."""
        if found.model != known.model:
            raise ReplicaUnavailable(
                f"it serves {found.model!r} now, no longer {known.model!r}",
                "nothing needs to be done: it is described again",
                is_certain=True,
            )
        if found != known:
            self._listener.on_changed(found)
        return found

    async def _check_health(self) -> None:
        target = self._target
        await check_health(self._session, target.url, target.api_key, self._policy.timeout_s)

    async def _describe(self) -> Replica:
        target = self._target
        return await describe(
            self._session,
            target.replica_id,
            target.url,
            model=target.model,
            api_key=target.api_key,
            timeout_s=self._policy.timeout_s,
        )

    async def _wait_for_look(self) -> None:
        """Return when the next health check is due, or one was requested."""
        await asyncio.sleep(min(_LEAST_GAP_S, self._policy.interval_s))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._policy.interval_s):
                await self._asked.wait()

    async def _back_off(self, delay_s: float) -> None:
        """Wait `delay_s`, or less while requests wait for a replica."""
        ends = self._clock() + delay_s
        while (left_s := ends - self._clock()) > 0:
            await asyncio.sleep(min(left_s, _IN_DEMAND_S))
            if self._is_in_demand() or self._waiting:
                return

    def _begin_look(self) -> list[asyncio.Future[bool]]:
        """Begin a look; return the callers of `confirm` that it answers."""
        self._asked.clear()
        return self._take_waiting()

    def _take_waiting(self) -> list[asyncio.Future[bool]]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _answer(self, waiting: list[asyncio.Future[bool]], *, confirmed: bool) -> None:
        for found in waiting:
            if not found.done():
                found.set_result(confirmed)
