"""The gateway's end of the agent: starts the process, sends orders, and yields its events."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cato_backend.errors import ReplicaLost

_LINE_BYTES = 4 * 1024 * 1024
_REACH_S = 5.0
_END_S = 20.0
"""For the agent to end all replicas, and itself."""


async def check_reachable(address: str) -> None:
    """Raise ReplicaLost where nothing listens at a cluster's address; Ray would try for minutes."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        return
    if host is None or port is None:
        return
    try:
        async with asyncio.timeout(_REACH_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        raise ReplicaLost(f"nothing answers there ({type(error).__name__})") from error
    writer.close()


class AgentProcess:
    """One agent, from its start to its end."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, address: str, log: Path) -> AgentProcess:
        """Start it; what it and Ray say goes to `log`."""
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "cato_backend.ray_cluster.agent", address),
                stdin=PIPE,
                stdout=PIPE,
                stderr=descriptor,
                limit=_LINE_BYTES,
                # Ctrl-C in the backend's terminal is the backend's to handle.
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        return cls(process)

    async def events(self) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield its events until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            yield json.loads(line)

    def order(self, order: Mapping[str, Any]) -> None:
        """Send one order; one that comes too late is lost with the agent."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def kill(self) -> None:
        """End it at once; replicas continue."""
        if self._process.returncode is None:
            self._process.kill()

    async def close(self) -> None:
        """Let it end all replicas; return once it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
