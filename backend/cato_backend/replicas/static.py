"""A replica that somebody else runs: it is only watched."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import aiohttp

from cato_backend.errors import EngineError
from cato_backend.replicas.probe import describe, is_healthy
from cato_backend.replicas.replica import Replica


@dataclass(frozen=True, slots=True)
class StaticSpec:
    """Where it is, and how patiently it is watched."""

    replica_id: str
    url: str
    model: str = ""
    """Which of its models; empty takes the first."""
    api_key: str | None = field(default=None, repr=False)
    interval_s: float = 1.0
    """Between two looks."""
    failures: int = 3
    """Looks in a row that must fail before it counts as down; one success brings it back."""


class StaticLauncher:
    """Implements `Launcher` for a URL."""

    def __init__(self, spec: StaticSpec, session: aiohttp.ClientSession) -> None:
        self._spec = spec
        self._session = session

    @property
    def replica_id(self) -> str:
        """The id of its replica."""
        return self._spec.replica_id

    async def launch(self) -> WatchedReplica:
        """Begins to watch."""
        return WatchedReplica(self._spec, self._session)


class WatchedReplica:
    """Implements `Running`: ready when it answers, dead when it has not for a while."""

    def __init__(self, spec: StaticSpec, session: aiohttp.ClientSession) -> None:
        self._spec = spec
        self._session = session

    async def wait_ready(self) -> Replica:
        """Waits, for ever if need be, until it answers and serves the wanted model."""
        spec = self._spec
        while True:
            try:
                return await describe(
                    self._session,
                    spec.replica_id,
                    spec.url,
                    model=spec.model,
                    api_key=spec.api_key,
                )
            except EngineError:
                await asyncio.sleep(spec.interval_s)

    async def wait_dead(self) -> str:
        """Waits until several looks in a row failed."""
        failed = 0
        while failed < self._spec.failures:
            await asyncio.sleep(self._spec.interval_s)
            healthy = await is_healthy(self._session, self._spec.url, self._spec.api_key)
            failed = 0 if healthy else failed + 1
        return f"{self._spec.url} did not answer {failed} times in a row"

    async def stop(self) -> None:
        """Leaves it as it is: it is not ours."""
