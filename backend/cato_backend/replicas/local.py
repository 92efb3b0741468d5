"""A replica on this machine: an engine process under a warden, on a socket of its own.

Where there is no folder for sockets, it listens on a free port of loopback.

Sleep mode uses routes of vLLM 0.32's `entrypoints/serve/dev/sleep`; level 1 keeps the weights in
main memory and drops the KV cache. An engine has them with `--enable-sleep-mode` and
VLLM_SERVER_DEV_MODE=1. It waits for running requests before it falls asleep.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp

from cato_backend.engines.command import (
    HOST,
    Address,
    EmulationSpec,
    EngineSpec,
    Invocation,
    ModelSpec,
    Port,
    UnixSocket,
    invocation,
)
from cato_backend.engines.pip import clean_environment
from cato_backend.errors import EngineError
from cato_backend.replicas.readiness import OnNote, Readiness, StartedEngine, exit_status
from cato_backend.replicas.replica import Replica
from cato_backend.replicas.sockets import SocketFolder

_TIMEOUT_S = 180.0

STOP_TIMEOUT_S = 12.0
"""Longer than the warden ever takes; after it the engine's session is killed from here."""

_NEEDS_SOCKET = (
    "an engine that sleeps needs a socket, because vLLM's developer routes ask for no key, and"
    " every user of the machine could call them on a port; set XDG_RUNTIME_DIR to a folder of yours"
    " with a short path, or models.sleep to false"
)


async def fall_asleep(session: aiohttp.ClientSession, url: str, api_key: str) -> None:
    """Put the engine at `url` to sleep. Raises EngineError."""
    await _order(session, f"{url}/sleep?level=1&mode=wait", api_key)


async def wake_up(session: aiohttp.ClientSession, url: str, api_key: str) -> None:
    """Wake the engine at `url`. Raises EngineError."""
    await _order(session, f"{url}/wake_up", api_key)


async def _order(session: aiohttp.ClientSession, url: str, api_key: str) -> None:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {api_key}"}
    route = url.rpartition("/")[2].partition("?")[0]
    try:
        async with session.post(url, headers=headers, timeout=timeout) as response:
            if response.ok:
                return
            status = response.status
    except TimeoutError as error:
        raise EngineError(f"/{route} took longer than {_TIMEOUT_S:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineError(f"/{route} was not answered: {error}") from error
    raise EngineError(f"/{route} was answered with {status}: is its sleep mode on?")


@dataclass(frozen=True, slots=True)
class LocalSpec:
    """A local engine to start."""

    replica_id: str
    model: ModelSpec
    engine: EngineSpec | EmulationSpec
    log: Path
    start_timeout_s: float = 600.0


class LocalLauncher:
    """Implements `Launcher` with a process. Each life has its own address and key."""

    def __init__(
        self,
        spec: LocalSpec,
        session: aiohttp.ClientSession,
        on_note: OnNote,
        sockets: SocketFolder,
    ) -> None:
        """`sockets` must be those of the session's connector."""
        self._spec = spec
        self._session = session
        self._on_note = on_note
        self._sockets = sockets

    @property
    def replica_id(self) -> str:
        """The id of its replica."""
        return self._spec.replica_id

    async def launch(self) -> LocalReplica:
        """Start the warden, and with it the engine. Raises EngineError when it cannot be run."""
        (url, address), api_key = self._address(), secrets.token_urlsafe(24)
        command = invocation(self._spec.model, self._spec.engine, address, api_key)
        warden = await _start_warden(command, self._spec.log)
        assert warden.stdout is not None
        first = await warden.stdout.readline()
        if not first.strip().isdigit():
            await warden.wait()
            raise EngineError(f"cannot run {command.argv[0]}: is the engine's environment whole?")
        life = _Life(self._spec, url, api_key, warden, int(first))
        return LocalReplica(life, self._session, self._on_note)

    def _address(self) -> tuple[str, Address]:
        """Return the URL and the address of the next life. Raises EngineError."""
        found = self._sockets.new(f"{self._spec.replica_id}-{secrets.token_hex(4)}")
        if found is None and self._spec.engine.sleeps:
            raise EngineError(_NEEDS_SOCKET)
        if found is None:
            port = free_port()
            return f"http://{HOST}:{port}", Port(port)
        url, path = found
        return url, UnixSocket(path)


async def _start_warden(command: Invocation, log: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # Modules of the working directory are not imported.
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


def free_port(host: str = HOST) -> int:
    """Return a port of this machine's address `host` that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class _Life:
    spec: LocalSpec
    url: str
    api_key: str = field(repr=False)
    warden: Process
    engine_pid: int


class LocalReplica:
    """Implements `Running`."""

    def __init__(self, life: _Life, session: aiohttp.ClientSession, on_note: OnNote) -> None:
        self._life = life
        self._session = session
        self._on_note = on_note
        assert life.warden.stdout is not None
        self._ended = asyncio.ensure_future(life.warden.stdout.readline())

    @property
    def engine_pid(self) -> int:
        """The process id of the engine, which leads a session of its own."""
        return self._life.engine_pid

    async def wait_ready(self) -> Replica:
        """Wait for `/health`, telling what the log says meanwhile.

        Raises EngineError with the log's last lines when the engine dies, or takes too long.
        """
        spec, life = self._life.spec, self._life
        engine = StartedEngine(
            spec.replica_id,
            spec.model.name,
            life.url,
            life.api_key,
            spec.log,
            spec.start_timeout_s,
        )
        readiness = Readiness(engine, self._session, self._on_note, self._ended, self._status)
        try:
            return replace(await readiness.wait(), engine_pid=life.engine_pid)
        except EngineError:
            await self.stop()
            raise

    async def wait_dead(self) -> str:
        """Wait for the engine's process to end; what it left behind may live until `stop`."""
        await asyncio.wait([self._ended])
        return f"the engine ended: {self._status()}"

    async def sleep(self) -> None:
        """Give back the engine's GPU memory. Raises EngineError."""
        await fall_asleep(self._session, self._life.url, self._life.api_key)

    async def wake(self) -> None:
        """Take it again. Raises EngineError."""
        await wake_up(self._session, self._life.url, self._life.api_key)

    async def stop(self) -> None:
        """Close the warden's pipe and wait until engine and warden are gone."""
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
        """Kill the session, for a warden that was killed; after an orderly end it is empty."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._life.engine_pid, signal.SIGKILL)

    def _status(self) -> str:
        said = self._ended.result().strip()
        if not said:
            return "its warden died"
        return exit_status(int(said))
