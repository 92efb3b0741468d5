"""One code-server with the extension installed, and its own user, settings and folders."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cato_backend.wire.state_files import cache_dir
from tests.e2e.vscode.tools import Tools

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 5
LISTENING = re.compile(rb"HTTP server listening on (http://[\d.]+:\d+)")

# Nothing of these is CATO's: an editor that keeps still, so that a test sees what CATO does.
QUIET = {
    "chat.disableAIFeatures": True,
    "editor.autoClosingBrackets": "never",
    "editor.autoIndent": "none",
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "editor.wordBasedSuggestions": "off",
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "files.hotExit": "off",
    "git.enabled": False,
    # Other tests open ports beside the editor, of which it would tell.
    "remote.autoForwardPorts": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
}
# What people have to give a key themselves.
KEYS = [
    {"key": "ctrl+alt+l", "command": "editor.action.inlineSuggest.acceptNextLine"},
]
FLAGS = (
    "--auth=none",
    "--disable-getting-started-override",
    "--disable-telemetry",
    "--disable-update-check",
    # A window that a test has closed does not come back.
    "--reconnection-grace-time=1",
)


@dataclass(frozen=True, slots=True)
class CodeServer:
    """A running one. `url` is where a browser opens it, `data` holds its settings."""

    url: str
    data: Path
    state: Path
    pid: int

    def set_settings(self, user: Mapping[str, Any], machine: Mapping[str, Any]) -> None:
        """The person's settings, beside those that keep the editor still, and the machine's."""
        _write_settings(self.data / "User", {**QUIET, **user})
        _write_settings(self.data / "Machine", machine)

    @property
    def settings(self) -> dict[str, Any]:
        """The person's settings, as they stand on the disk; the editor empties the file first."""
        text = (self.data / "User/settings.json").read_text(encoding="utf-8")
        settings: dict[str, Any] = json.loads(text or "{}")
        return settings

    @property
    def history(self) -> list[dict[str, Any]]:
        """What the language servers stored about suggestions so far."""
        file = self.state / "history.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    def language_servers(self) -> set[int]:
        """The process ids of the language servers of all windows."""
        processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return {int(p.name) for p in processes if _is_language_server(p, self.pid)}


@asynccontextmanager
async def serve_editor(
    tools: Tools, vsix: Path, root: Path, environment: Mapping[str, str]
) -> AsyncIterator[CodeServer]:
    """A fresh code-server below `root` with `vsix` in it; ends with all its children."""
    data, variables = root / "data", _variables(root, environment)
    _write_settings(data / "User", QUIET)
    (data / "User/keybindings.json").write_text(json.dumps(KEYS), encoding="utf-8")
    command = [
        *(str(tools.node), str(tools.code_server)),
        *(f"--user-data-dir={data}", f"--extensions-dir={root / 'extensions'}"),
    ]
    await _install(command, vsix, variables)
    process = await asyncio.create_subprocess_exec(
        *command,
        *FLAGS,
        "--bind-addr=127.0.0.1:0",
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield CodeServer(await _wait_listening(process), data, root / "state", process.pid)
    finally:
        await _end_group(process)


def _is_language_server(process: Path, session: int) -> bool:
    try:
        # The session's id is the fourth field after the name, which may itself hold blanks.
        fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        program = (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(fields[3]) == session and b"cato-lsp" in program


def _variables(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """A user of its own, who runs no backend; only the cache is everybody's."""
    (root / "home").mkdir(parents=True)
    return {
        **os.environ,
        "HOME": str(root / "home"),
        "CATO_CACHE_DIR": str(cache_dir()),
        "CATO_STATE_DIR": str(root / "state"),
        "EXTENSIONS_GALLERY": '{"serviceUrl": ""}',
        **environment,
    }


async def _install(command: list[str], vsix: Path, variables: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        f"--install-extension={vsix}",
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the extension was refused:\n{output.decode()}")


async def _wait_listening(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    output = b""
    async with asyncio.timeout(START_TIMEOUT_S):
        while line := await process.stdout.readline():
            output += line
            if found := LISTENING.search(line):
                return found[1].decode()
    raise RuntimeError(f"code-server ended:\n{output.decode()}")


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """Extension hosts and language servers are in the group of code-server."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except ProcessLookupError:
            return
        except TimeoutError:
            continue


def _write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
