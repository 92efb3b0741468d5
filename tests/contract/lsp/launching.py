"""Starts `cato-lsp` processes, and ends them whatever becomes of the test."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from lsprotocol import types

from tests.contract.lsp.editor import Editor, capabilities

ENDING_S = 20.0


def environment(state_dir: Path, **variables: str) -> dict[str, str]:
    """This process's environment, with a state folder of its own and no backend to be found."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CATO_")}
    return {
        **inherited,
        "CATO_STATE_DIR": str(state_dir / "state"),
        "CATO_CACHE_DIR": str(state_dir / "cache"),
        "CATO_BACKEND_AUTOSTART": "0",
        **variables,
    }


def listening_at(line: str) -> tuple[str, int]:
    """Host and port in the line that a listening server writes."""
    host, port = line.strip().rpartition("://")[2].split(":")
    return host, int(port)


class Launcher:
    """Makes connected editors."""

    def __init__(self, folder: Path, shared: tuple[str, int]) -> None:
        self._folder = folder
        self._shared = shared
        self._editors: list[Editor] = []
        self._listening: list[Process] = []

    @property
    def folder(self) -> Path:
        """Where its servers keep their state."""
        return self._folder

    @property
    def log(self) -> str:
        """What the servers logged, at the highest verbosity."""
        return self._log_file.read_text() if self._log_file.exists() else ""

    async def editor(self, **session: Any) -> Editor:
        """An editor with a session of its own, in the server that all tests share.

        For `session` see `_initialize`.
        """
        return await self.connect("tcp", self._shared, **session)

    async def stdio(self, **session: Any) -> Editor:
        """An editor with a server process of its own; a `quiet` one logs warnings only."""
        editor = Editor(session.pop("settings", None))
        self._editors.append(editor)
        variables = session.pop("variables", {})
        command = self._command("--stdio")
        command = command[:-1] if session.pop("quiet", False) else command
        await editor.start_io(*command, env=environment(self._folder, **variables))
        return await _initialize(editor, **session)

    async def listen(self, transport: str) -> tuple[str, int]:
        """Starts a server for many editors on `tcp` or `ws`; returns where it listens."""
        server = await asyncio.create_subprocess_exec(
            *self._command(f"--{transport}", "--port", "0"),
            env=environment(self._folder),
            stderr=PIPE,
        )
        self._listening.append(server)
        assert server.stderr is not None
        return listening_at((await server.stderr.readline()).decode())

    async def connect(self, transport: str, address: tuple[str, int], **session: Any) -> Editor:
        """One more editor of a server that listens."""
        editor = Editor(session.pop("settings", None))
        self._editors.append(editor)
        await (editor.start_tcp if transport == "tcp" else editor.start_ws)(*address)
        return await _initialize(editor, **session)

    async def over(self, transport: str, **session: Any) -> Editor:
        """One editor, over any of the transports."""
        if transport == "stdio":
            return await self.stdio(**session)
        return await self.connect(transport, await self.listen(transport), **session)

    async def end(self) -> None:
        """Ends every editor and every process."""
        for editor in self._editors:
            await _leave(editor)
        for server in self._listening:
            server.terminate()
            await server.wait()

    @property
    def _log_file(self) -> Path:
        return self._folder / "cato-lsp.log"

    def _command(self, *arguments: str) -> list[str]:
        log = ("--log-file", str(self._log_file), "-vv")
        return [sys.executable, "-m", "cato_lsp", *arguments, *log]


async def _initialize(
    editor: Editor,
    client: str = "vscode",
    options: dict[str, Any] | None = None,
    state: str | None = "ready",
) -> Editor:
    """`client` says whose capabilities; returns once the status is `state`."""
    params = types.InitializeParams(
        capabilities=capabilities(client), root_uri="file:///work", initialization_options=options
    )
    editor.offered = await editor.initialize_session(params)
    if state is not None:
        await editor.until(lambda editor: editor.state == state)
    return editor


async def _leave(editor: Editor) -> None:
    process = editor.process
    try:
        async with asyncio.timeout(ENDING_S):
            if process is None or process.returncode is None:
                await editor.shutdown_session()
            await editor.stop()
    except (TimeoutError, OSError, RuntimeError):
        if process is not None and process.returncode is None:
            process.kill()
        raise
