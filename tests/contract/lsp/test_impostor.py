"""Another process has taken over the port of the backend that the discovery file names."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from cato_backend.wire.discovery import IDENTITY_PATH, start_time
from cato_lab.emulator import Emulator
from tests.contract.gateway.serving import start
from tests.contract.lsp.editor import text_of
from tests.contract.lsp.launching import Launcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the backend runs on Linux")

SAMPLE = "def add(a, b):\n    return "


@asynccontextmanager
async def impostor(port: int) -> AsyncIterator[list[web.BaseRequest]]:
    """Whoever listens there now, and what it is sent."""
    asked: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request)
        return web.json_response({"proof": "0" * 64, "data": [{"id": "cato"}]})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", port))
    await web.SockSite(runner, listener).start()
    try:
        yield asked
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("forges_process", [False, True])
async def test_who_takes_over_the_port_is_sent_no_prompt(
    launch: Launcher, fake: Emulator, tmp_path: Path, forges_process: bool
) -> None:
    """`forges_process`: the file names a process that runs, as after an id was given anew."""
    file = tmp_path / "state" / "backend.json"
    serve = await start(tmp_path, "--colocated", "--replica", fake.url)
    await serve.wait_said(": up: ")
    editor = await launch.stdio()
    editor.open(SAMPLE)
    assert text_of(await editor.inline(1, 11)) == "a + b"
    known = json.loads(file.read_text())
    os.kill(known["pid"], signal.SIGKILL)
    await serve.wait_ended()
    if forges_process:
        own = {"pid": os.getpid(), "started": start_time(os.getpid())}
        file.write_text(json.dumps({**known, **own}))
    async with impostor(urlsplit(known["url"]).port or 0) as asked:
        editor.type("x", 1, 11, 2)
        assert await editor.inline(1, 12) is None
        await editor.until(lambda editor: editor.state == "unreachable")
        editor.type("y", 1, 12, 3)
        assert await editor.inline(1, 13) is None
    assert {request.path for request in asked} <= {IDENTITY_PATH}
    assert not any("authorization" in request.headers for request in asked)
