"""Several editors in one server, and how connections end."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from cato_lab.emulator import Emulator
from tests.contract.lsp.editor import text_of
from tests.contract.lsp.launching import Launcher

SAMPLE = "def add(a, b):\n    return "


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_two_editors_share_a_server_and_nothing_else(
    launch: Launcher, fake: Emulator, transport: str
) -> None:
    address = await launch.listen(transport)
    settings = {"backend": {"url": fake.url}}
    first = await launch.connect(transport, address, settings=settings)
    second = await launch.connect(
        transport,
        address,
        settings={**settings, "completion": {"enabled": False}},
        state="disabled",
    )
    first.open(SAMPLE)
    second.open("other = ")
    answers = await asyncio.gather(first.inline(1, 11), second.inline(0, 8))
    assert [text_of(answer) for answer in answers] == ["a + b", None]
    await second.shutdown_session()
    second.capabilities = None
    assert text_of(await first.inline(1, 11)) == "a + b"
    assert fake.requests[-1].body["prompt"] == SAMPLE


async def test_a_web_page_is_refused(launch: Launcher) -> None:
    host, port = await launch.listen("ws")
    with pytest.raises(InvalidStatus):
        await connect(f"ws://{host}:{port}", origin="https://example.org")  # type: ignore[arg-type]


async def test_a_client_that_hangs_up_leaves_nothing_behind(
    launch: Launcher, fake: Emulator
) -> None:
    await fake.change(ttft_ms=3_600_000)
    editor = await launch.stdio(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    editor.inline(1, 11).add_done_callback(lambda answer: answer.cancelled() or answer.exception())
    await fake.wait_until(lambda state: len(state.requests) == 1)
    assert editor.process is not None
    assert editor.process.stdin is not None
    editor.process.stdin.close()
    assert await asyncio.wait_for(editor.process.wait(), 20) == 1
    editor.capabilities = None
    await fake.wait_until(lambda state: state.aborted == 1)


async def test_exit_without_shutdown_is_an_error_status(launch: Launcher) -> None:
    editor = await launch.stdio(state=None)
    editor.exit(None)
    editor.capabilities = None
    assert editor.process is not None
    assert await asyncio.wait_for(editor.process.wait(), 20) == 1


async def test_a_log_file_that_cannot_be_written_keeps_nobody_from_starting(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cato_lsp", "--stdio", "--log-file", tmp_path / "file" / "log"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    request = b'{"id": 1, "method": "cato/status"}'
    message = b"Content-Length: %d\r\n\r\n%b" % (len(request), request)
    output, log = await server.communicate(message)
    assert b"is not initialized" in output
    assert b"cannot be written" in log
    assert b"the log goes to standard error" in log
