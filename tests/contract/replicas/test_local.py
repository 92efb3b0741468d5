"""The local launcher over a real process that speaks as vLLM does."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from cato_backend.engines.command import EmulationSpec, EngineSpec, ModelSpec
from cato_backend.engines.environments import EngineKind
from cato_backend.errors import EngineError
from cato_backend.replicas.local import LocalLauncher, LocalReplica, LocalSpec
from cato_backend.replicas.probe import is_healthy
from cato_backend.replicas.sockets import SocketFolder
from tests.fast.replicas.processes import Deaths

MODEL = ModelSpec("cato-embedded", "/some/folder")


class Lives:
    """Launches replicas and ends those that a test left."""

    def __init__(
        self,
        engine: EngineSpec,
        session: aiohttp.ClientSession,
        log: Path,
        sockets: SocketFolder,
    ) -> None:
        self.notes: list[str] = []
        self._engine = engine
        self._session = session
        self._log = log
        self.sockets = sockets
        self._begun: list[LocalReplica] = []

    async def launch(self, *arguments: str, timeout_s: float = 30) -> LocalReplica:
        engine = replace(self._engine, arguments=arguments)
        spec = LocalSpec("replica-1", MODEL, engine, self._log, timeout_s)
        self._begun.append(
            await LocalLauncher(spec, self._session, self.notes.append, self.sockets).launch(),
        )
        return self._begun[-1]

    async def stop(self) -> None:
        for life in self._begun:
            await life.stop()


@pytest.fixture
async def lives(
    engine: EngineSpec, session: aiohttp.ClientSession, sockets: SocketFolder, tmp_path: Path
) -> AsyncIterator[Lives]:
    opened = Lives(engine, session, tmp_path / "logs" / "replica-1.log", sockets)
    yield opened
    await opened.stop()


def session_is_empty(leader: int) -> bool:
    """Whether no process of the session is left; one that is dead and not yet reaped is none."""
    return not any(
        session == leader and state != "Z" for state, _, session in map(stat_of, processes())
    )


def parent_of(pid: int) -> int:
    return stat_of(pid)[1]


def processes() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def stat_of(pid: int) -> tuple[str, int, int]:
    """State, parent and session; of one that is gone, nothing that matches."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "Z", 0, 0
    state, parent, _, session, *_ = stat.rpartition(")")[2].split()
    return state, int(parent), int(session)


async def test_up_and_stopped(lives: Lives, session: aiohttp.ClientSession) -> None:
    life = await lives.launch()
    replica = await life.wait_ready()
    assert (replica.id, replica.model, replica.max_model_len) == ("replica-1", MODEL.name, 4096)
    assert "model architecture Fake" in lives.notes
    assert await is_healthy(session, replica.url)
    await life.stop()
    assert not await is_healthy(session, replica.url)
    assert session_is_empty(life.engine_pid)


async def test_keys_and_ports_are_its_own(lives: Lives) -> None:
    first = await (await lives.launch()).wait_ready()
    second = await (await lives.launch()).wait_ready()
    assert first.url != second.url
    assert first.api_key != second.api_key
    assert first.api_key
    assert first.api_key not in repr(first)


async def test_an_engine_with_routes_for_developers_is_never_on_a_port(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """They ask for no key, and one of them runs what it is told."""
    for sleeps in (EmulationSpec(sleeps=True), EngineSpec(EngineKind.GPU, tmp_path, sleeps=True)):
        spec = LocalSpec("replica-1", MODEL, sleeps, tmp_path / "log")
        launcher = LocalLauncher(spec, session, print, SocketFolder())
        with pytest.raises(EngineError, match=r"set XDG_RUNTIME_DIR .* or models\.sleep"):
            await launcher.launch()


async def test_only_this_user_reaches_its_socket(lives: Lives) -> None:
    life = await lives.launch()
    await life.wait_ready()
    folder = lives.sockets.path
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert listening_ports(life.engine_pid) == set()


def listening_ports(leader: int) -> set[str]:
    """The TCP ports on which processes of the session listen, as /proc tells them."""
    held = {
        os.readlink(entry)
        for pid in processes()
        if stat_of(pid)[2] == leader
        for entry in Path(f"/proc/{pid}/fd").iterdir()
    }
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in table.splitlines() if ":" in line]
    listening = "0A"
    return {row[1] for row in rows if row[3] == listening and f"socket:[{row[9]}]" in held}


async def test_death_is_noticed(lives: Lives) -> None:
    life = await lives.launch()
    await life.wait_ready()
    os.kill(life.engine_pid, signal.SIGKILL)
    assert await life.wait_dead() == "the engine ended: signal 9"
    await life.stop()
    assert session_is_empty(life.engine_pid)


async def test_a_killed_warden_leaves_nothing(lives: Lives) -> None:
    life = await lives.launch()
    await life.wait_ready()
    deaths = Deaths.of([pid for pid in processes() if stat_of(pid)[2] == life.engine_pid])
    assert len(deaths.descriptors) == 2
    os.kill(parent_of(life.engine_pid), signal.SIGKILL)
    assert await life.wait_dead() == "the engine ended: its warden died"
    await life.stop()
    assert deaths.all_within(5)


async def test_death_at_load_shows_the_log(lives: Lives) -> None:
    life = await lives.launch("--die-at-load")
    with pytest.raises(EngineError) as raised:
        await life.wait_ready()
    assert "exit status 1" in str(raised.value)
    assert "ValueError: this model is no model" in str(raised.value)


async def test_a_start_that_takes_too_long(lives: Lives) -> None:
    life = await lives.launch(timeout_s=0.05)
    with pytest.raises(EngineError, match=r"not ready after 0 s"):
        await life.wait_ready()
    assert session_is_empty(life.engine_pid)


async def test_an_interpreter_that_is_not_there(
    lives: Lives, session: aiohttp.ClientSession, tmp_path: Path, engine: EngineSpec
) -> None:
    broken = replace(engine, python=tmp_path / "nowhere")
    spec = LocalSpec("replica-1", MODEL, broken, tmp_path / "log")
    with pytest.raises(EngineError, match="nowhere"):
        await LocalLauncher(spec, session, lives.notes.append, lives.sockets).launch()
