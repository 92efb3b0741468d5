"""A replica on this machine: an engine process under a warden, on a free port of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from cato_backend.engines.command import (
    HOST,
    EmulationSpec,
    EngineSpec,
    Invocation,
    ModelSpec,
    invocation,
)
from cato_backend.engines.pip import clean_environment
from cato_backend.errors import EngineError, ReplicaUnavailable
from cato_backend.replicas.loading import LoadReader, cause_of
from cato_backend.replicas.probe import check_health, describe
from cato_backend.replicas.replica import Replica

OnNote = Callable[[str], None]

POLL_S = 0.2
STOP_TIMEOUT_S = 12.0
"""Longer than the warden ever takes; after it the engine's session is killed from here."""


@dataclass(frozen=True, slots=True)
class LocalSpec:
    """What to start."""

    replica_id: str
    model: ModelSpec
    engine: EngineSpec | EmulationSpec
    log: Path
    start_timeout_s: float = 600.0


class LocalLauncher:
    """Implements `Launcher` with a process; each life has a port and a key of its own."""

    def __init__(
        self,
        spec: LocalSpec,
        session: aiohttp.ClientSession,
        on_note: OnNote,
    ) -> None:
        self._spec = spec
        self._session = session
        self._on_note = on_note

    @property
    def replica_id(self) -> str:
        """The id of its replica."""
        return self._spec.replica_id

    async def launch(self) -> LocalReplica:
        """Starts the warden, and with it the engine. Raises EngineError when it cannot be run."""
        port, api_key = free_port(), secrets.token_urlsafe(24)
        command = invocation(self._spec.model, self._spec.engine, port, api_key)
        warden = await _start_warden(command, self._spec.log)
        assert warden.stdout is not None
        first = await warden.stdout.readline()
        if not first.strip().isdigit():
            await warden.wait()
            raise EngineError(f"cannot run {command.argv[0]}: is the engine's environment whole?")
        url = f"http://{HOST}:{port}"
        life = _Life(self._spec, url, api_key, warden, int(first))
        return LocalReplica(life, self._session, self._on_note)


async def _start_warden(command: Invocation, log: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cato_backend.replicas.warden",
        "--log",
        str(log),
        "--",
        *command.argv,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**clean_environment(), **command.environment},
        # Ctrl-C in the backend's terminal is the backend's to handle.
        start_new_session=True,
    )


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class _Life:
    spec: LocalSpec
    url: str
    api_key: str
    warden: Process
    engine_pid: int


class LocalReplica:
    """Implements `Running`."""

    def __init__(self, life: _Life, session: aiohttp.ClientSession, on_note: OnNote) -> None:
        self._life = life
        self._session = session
        self._log = LoadReader(life.spec.log)
        self._on_note = on_note
        assert life.warden.stdout is not None
        self._ended = asyncio.ensure_future(life.warden.stdout.readline())

    @property
    def engine_pid(self) -> int:
        """The process id of the engine, which leads a session of its own."""
        return self._life.engine_pid

    async def wait_ready(self) -> Replica:
        """Waits for `/health`, telling what the log says meanwhile.

        Raises EngineError with the log's last lines when the engine dies, or takes too long.
        """
        spec = self._life.spec
        try:
            async with asyncio.timeout(spec.start_timeout_s):
                return await self._wait_healthy()
        except TimeoutError:
            await self.stop()
            raise EngineError(
                f"{spec.replica_id} was not ready after {spec.start_timeout_s:.0f} s; "
                f"its log {spec.log} ends with:\n{self._log.last_lines()}"
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
        """Raises ReplicaUnavailable while it loads."""
        life = self._life
        await check_health(self._session, life.url)
        return await describe(
            self._session,
            life.spec.replica_id,
            life.url,
            model=life.spec.model.name,
            api_key=life.api_key,
        )

    async def _poll_dead(self) -> None:
        """Waits a little, and raises EngineError if the engine ends meanwhile."""
        done, _ = await asyncio.wait([self._ended], timeout=POLL_S)
        if done:
            spec, end = self._life.spec, self._log.last_lines()
            cause = cause_of(end)
            raise EngineError(
                f"{spec.replica_id} died while it loaded ({self._status()})"
                f"{f': {cause}' if cause else ''}; its log {spec.log} ends with:\n{end}"
            )

    async def wait_dead(self) -> str:
        """Waits for the engine's process to end; what it left behind may live until `stop`."""
        await asyncio.wait([self._ended])
        return f"the engine ended: {self._status()}"

    async def stop(self) -> None:
        """Closes the warden's pipe and waits until engine and warden are gone."""
        warden = self._life.warden
        assert warden.stdin is not None
        warden.stdin.close()
        try:
            await asyncio.wait_for(warden.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            warden.kill()
            await warden.wait()
        await self._ended
        self._kill_session()

    def _kill_session(self) -> None:
        """For a warden that was itself killed; after an orderly end there is nobody to hit."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._life.engine_pid, signal.SIGKILL)

    def _status(self) -> str:
        said = self._ended.result().strip()
        if not said:
            return "its warden died"
        status = int(said)
        return f"signal {status - 128}" if status > 128 else f"exit status {status}"
