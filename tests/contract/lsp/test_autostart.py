"""Starting a co-located backend: one for all editors, again when it dies, its last words shown."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cato_lab.emulator import Emulator
from tests.contract.lsp.editor import Editor, text_of
from tests.contract.lsp.launching import Launcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the backend runs on Linux")

SAMPLE = "def add(a, b):\n    return "


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Path]:
    """The discovery file of the test's state folder; whoever it names in the end is ended."""
    announcement = tmp_path / "state" / "backend.json"
    yield announcement
    if announcement.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(_pid(announcement), signal.SIGTERM)


async def test_two_editors_start_one_backend_and_again_when_it_dies(
    launch: Launcher, fake: Emulator, tmp_path: Path, started: Path
) -> None:
    variables = _variables(tmp_path, f'[[replicas]]\nurl = "{fake.url}"\n')
    first, second = await asyncio.gather(
        *(launch.stdio(variables=variables, state="ready") for _ in range(2))
    )
    states = [status["state"] for status in first.statuses]
    assert states[0] == "starting"
    assert await _url(first) == await _url(second)
    first.open(SAMPLE)
    assert text_of(await first.inline(1, 11)) == "a + b"

    killed = _pid(started)
    os.kill(killed, signal.SIGKILL)
    await first.inline(1, 11)
    await first.until(lambda editor: editor.state != "ready")
    await first.ready()
    assert _pid(started) != killed
    assert text_of(await first.inline(1, 11)) == "a + b"
    await second.ask("cato/restartBackend")
    await second.ready()
    assert await _url(first) == await _url(second)


async def test_why_it_did_not_start_is_the_status(
    launch: Launcher, tmp_path: Path, started: Path
) -> None:
    variables = _variables(tmp_path, "[server]\nprot = 7\n")
    editor = await launch.stdio(variables=variables, state="unreachable")
    status = await editor.status()
    assert "did not start" in status["message"]
    assert "prot" in status["message"]
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) is None
    assert started.name not in os.listdir(started.parent)


def _variables(folder: Path, config: str) -> dict[str, str]:
    path = folder / "cato.toml"
    path.write_text(config)
    return {"CATO_BACKEND_AUTOSTART": "1", "CATO_CONFIG": str(path)}


def _pid(announcement: Path) -> int:
    return int(json.loads(announcement.read_text())["pid"])


async def _url(editor: Editor) -> str:
    return str((await editor.status())["backendUrl"])
