"""A real `cato serve` process in front of a fake replica."""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cato_lab.emulator import Emulator
from cato_lab.emulator.state import EmulatorState, RecordedRequest
from tests.commands import serve_command
from tests.contract.lsp.launching import environment

STARTING_S = 30.0


@asynccontextmanager
async def gateway(fake: Emulator, folder: Path, *arguments: str) -> AsyncIterator[str]:
    """The URL of a gateway whose replica is up."""
    server = await asyncio.create_subprocess_exec(
        *serve_command("--port", "0", "--replica", fake.url, "--no-calibrate", *arguments),
        env=environment(folder),
        stdout=DEVNULL,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(STARTING_S):
            said = await _until(server, ": up: ")
        found = re.search(r"listening on (\S+)", said)
        assert found is not None, said
        yield found[1]
    finally:
        server.terminate()
        await server.communicate()


def asked(replica: Emulator | EmulatorState) -> list[RecordedRequest]:
    """The requests for text; the gateway's warm-ups, which come at any time, are left out."""
    return [request for request in replica.requests if request.body["max_tokens"] > 1]


async def _until(server: asyncio.subprocess.Process, words: str) -> str:
    assert server.stderr is not None
    said = ""
    while words not in said:
        line = (await server.stderr.readline()).decode()
        assert line, f"cato serve ended: {said}"
        said += line
    return said
