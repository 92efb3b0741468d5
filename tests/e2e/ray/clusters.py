"""Ray's own interpreter, a cluster that it runs, and `cato serve` before the cluster."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import sysconfig
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.peers.environments import python_of
from tests.commands import serve_command
from tests.contract.gateway.serving import Serve, environment

PROJECT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("cluster.py")
ADDED_S = 60.0


def make_interpreter(folder: Path) -> Path:
    """One with Ray, and with this checkout and what it needs."""
    ray = python_of("ray")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (rays,) = ray.parents[1].glob("lib/python*/site-packages")
    paths = [PROJECT, PROJECT / "backend", sysconfig.get_path("purelib"), rays]
    (site / "tested.pth").write_text("".join(f"{path}\n" for path in paths))
    return folder / "bin" / "python"


class Cluster:
    """Nodes with room for one replica each, and a head without room."""

    def __init__(self, process: Process, address: str) -> None:
        self._process = process
        self.address = address

    async def add(self) -> None:
        await self._tell("add")

    async def kill_node_of(self, pid: int) -> None:
        """Kills the node on which this process runs."""
        await self._tell(f"kill {pid}")

    async def kill_head(self) -> None:
        await self._tell("kill-head")

    async def restart(self, nodes: int) -> None:
        """Kills all, and starts another cluster at the same address."""
        await self._tell("restart")
        for _ in range(nodes):
            await self.add()

    async def _tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        await _read(self._process)


async def _read(process: Process) -> dict[str, Any]:
    """The next JSON object; Ray may say something, too."""
    assert process.stdout is not None
    async with asyncio.timeout(ADDED_S):
        while line := await process.stdout.readline():
            if line.startswith(b"{"):
                found: dict[str, Any] = json.loads(line)
                return found
    raise AssertionError("the cluster's process has ended")


@asynccontextmanager
async def ray_cluster(python: Path, folder: Path, nodes: int) -> AsyncGenerator[Cluster]:
    process = await asyncio.create_subprocess_exec(
        *(str(python), str(SCRIPT)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=environment(folder),
    )
    try:
        cluster = Cluster(process, (await _read(process))["address"])
        for _ in range(nodes):
            await cluster.add()
        yield cluster
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(ADDED_S):
            await process.wait()


async def start_on(
    python: Path, folder: Path, address: str, config: str, **variables: str
) -> Serve:
    """A process of `cato serve --ray ADDRESS`; nothing is waited for."""
    (folder / "cato.toml").write_text(config)
    return Serve(
        await asyncio.create_subprocess_exec(
            *serve_command(
                *("--ray", address, "--config", str(folder / "cato.toml")),
                *("--port", "0", "--no-calibrate"),
                cato=(str(python), "-m", "cato_backend"),
            ),
            env=environment(folder) | variables,
            stdout=DEVNULL,
            stderr=PIPE,
        )
    )


@asynccontextmanager
async def serving_on(
    python: Path, folder: Path, address: str, config: str
) -> AsyncGenerator[Serve]:
    """`cato serve --ray ADDRESS`; it must end well, without a defect."""
    serve = await start_on(python, folder, address, config)
    try:
        await serve.wait_said("listening on")
        yield serve
    finally:
        status = await serve.end()
    assert status == 0, serve.said
    assert "Traceback" not in serve.said, serve.said
