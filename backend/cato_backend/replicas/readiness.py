"""Waits until a replica that was started answers, and tells what its log says meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from cato_backend.errors import EngineError, ReplicaUnavailable
from cato_backend.replicas.loading import LoadReader, cause_of
from cato_backend.replicas.probe import check_health, describe
from cato_backend.replicas.replica import Replica

OnNote = Callable[[str], None]

POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class StartedEngine:
    """An engine that loads its model."""

    replica_id: str
    model: str
    url: str
    api_key: str = field(repr=False)
    log: Path
    start_timeout_s: float


class Readiness:
    """Waits for one life; `ended` is done once its engine is dead, `why` says then how it ended."""

    def __init__(
        self,
        engine: StartedEngine,
        session: aiohttp.ClientSession,
        on_note: OnNote,
        ended: asyncio.Future[bytes],
        why: Callable[[], str],
    ) -> None:
        self._engine = engine
        self._session = session
        self._log = LoadReader(engine.log)
        self._on_note = on_note
        self._ended = ended
        self._why = why

    async def wait(self) -> Replica:
        """Return the replica once it is healthy and described.

        Raises EngineError with the log's last lines when the engine dies, or takes too long.
        """
        engine = self._engine
        try:
            async with asyncio.timeout(engine.start_timeout_s):
                return await self._wait_healthy()
        except TimeoutError:
            raise EngineError(
                f"{engine.replica_id} was not ready after {engine.start_timeout_s:.0f} s; "
                f"its log {engine.log} ends with:\n{self._log.last_lines()}"
            ) from None

    async def _wait_healthy(self) -> Replica:
        while True:
            try:
                return await self._described()
            except ReplicaUnavailable:
                for note in self._log.news():
                    self._on_note(note)
                await self._poll_dead()

    async def _described(self) -> Replica:
        """Raise ReplicaUnavailable while it loads."""
        engine = self._engine
        await check_health(self._session, engine.url)
        return await describe(
            self._session, engine.replica_id, engine.url, model=engine.model, api_key=engine.api_key
        )

    async def _poll_dead(self) -> None:
        """Wait a little, and raise EngineError if the engine ends meanwhile."""
        done, _ = await asyncio.wait([self._ended], timeout=POLL_S)
        if done:
            why, end = self._why(), self._log.last_lines()
            cause = cause_of(end)
            raise EngineError(
                f"{self._engine.replica_id} died while it loaded ({why})"
                f"{f': {cause}' if cause else ''}; its log {self._engine.log} ends with:\n{end}"
            )


def exit_status(status: int) -> str:
    """Return a shell's status in words."""
    return f"signal {status - 128}" if status > 128 else f"exit status {status}"
