"""Neovim on the screen of a real terminal, which a tmux of its own provides."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.e2e.neovim.editor import Editor, Home, connect
from tests.e2e.neovim.install import Tools
from tests.e2e.waiting import PATIENCE_S

ARTIFACTS = Path(__file__).parents[2] / "artifacts"


class Terminal:
    """A tmux of its own with Neovim in its only pane."""

    def __init__(self, tools: Tools, socket: Path) -> None:
        self._program = [str(tools.tmux), "-S", str(socket), "-f", "/dev/null"]

    def run(self, *arguments: str, **options: Any) -> str:
        done = subprocess.run(
            [*self._program, *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            **options,
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        """Keys by tmux's names; other text literally."""
        for key in keys:
            literal = [] if key in {"Tab", "Escape", "Enter"} else ["-l"]
            self.run("send-keys", *literal, key)

    @property
    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def keep(self, name: str) -> None:
        """Writes the screen, colours included, where people look after a failure."""
        ARTIFACTS.mkdir(exist_ok=True)
        screen = self.run("capture-pane", "-p", "-e")
        (ARTIFACTS / f"neovim-{name}.ansi").write_text(screen)


@contextmanager
def terminal(home: Home, init: str, file: Path) -> Generator[tuple[Terminal, Editor], None, None]:
    """Neovim on a screen of 100 by 30; the screen is kept where the test fails."""
    view = Terminal(home.tools, home.root / "tmux.sock")
    environment = {**home.environment, "TERM": "xterm-256color"}
    command = home.command(init, file)
    view.run("new-session", "-d", "-x", "100", "-y", "30", *command, env=environment)
    try:
        yield view, connect(home)
    except BaseException:
        view.keep(home.root.name)
        raise
    finally:
        with suppress(subprocess.CalledProcessError):
            view.run("kill-server")
