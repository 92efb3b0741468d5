"""What `cato serve` tells systemd, over a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cato_backend.app.process import ServiceManager
from tests.contract.gateway.serving import Serve, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd runs on Linux")
TOLD_S = 30.0


class Systemd:
    """A socket as systemd's, and what came there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(address.replace("@", "\0", 1))

    async def told(self, word: str) -> list[str]:
        """The messages up to the first with this line."""
        seen: list[str] = []
        async with asyncio.timeout(TOLD_S):
            while not seen or word not in seen[-1].splitlines():
                message = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
                seen.append(message.decode())
        return seen

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
async def systemd(request: pytest.FixtureRequest) -> AsyncIterator[Systemd]:
    with tempfile.TemporaryDirectory(prefix="cato-") as folder:
        name = f"{folder}/notify"
        listening = Systemd(name if request.param == "file" else f"@{name}")
        yield listening
        listening.close()


async def test_ready_reload_and_stop(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    serve: Serve = await start(tmp_path, "--port", "0", "--replica", "http://127.0.0.1:9")
    try:
        before = await systemd.told("READY=1")
        assert any(message.startswith("STATUS=listening on") for message in before)
        for _ in range(3):
            await systemd.told("WATCHDOG=1")
        serve.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in (await systemd.told("RELOADING=1"))[-1]
        await systemd.told("READY=1")
        serve.process.send_signal(signal.SIGTERM)
        await systemd.told("STOPPING=1")
        assert await serve.wait_ended() == 0
    finally:
        if serve.process.returncode is None:
            serve.process.kill()
            await serve.wait_ended()
    assert "Traceback" not in serve.said


async def test_the_time_of_a_reload_is_told(systemd: Systemd) -> None:
    ServiceManager({"NOTIFY_SOCKET": systemd.address}).reloading()
    (message,) = await systemd.told("RELOADING=1")
    name, _, microseconds = message.splitlines()[1].partition("=")
    assert name == "MONOTONIC_USEC"
    assert int(microseconds) > 0


async def test_news_of_several_lines_are_one_message(systemd: Systemd) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": systemd.address})
    manager.status("engine ended:\nMAINPID=1")
    manager.ready()
    assert "STATUS=engine ended: MAINPID=1" in await systemd.told("READY=1")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "nine"},
        {"WATCHDOG_USEC": "200000", "WATCHDOG_PID": str(os.getppid())},
    ],
)
async def test_where_no_watchdog_is_asked_for_there_is_none(environment: dict[str, str]) -> None:
    async with asyncio.timeout(1):
        await ServiceManager(environment).watch()


async def test_a_missing_socket_of_the_service_manager_is_ignored(tmp_path: Path) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    ServiceManager({}).ready()
