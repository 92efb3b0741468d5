"""Neovim on the screen of a real terminal."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.neovim.editor import Editor, Home, connect
from tests.e2e.terminal import Terminal


@contextmanager
def terminal(home: Home, init: str, file: Path) -> Generator[tuple[Terminal, Editor], None, None]:
    """Neovim on a screen of 100 by 30; the screen is kept where the test fails."""
    view = Terminal(home.tools.tmux, home.root / "tmux.sock", "neovim")
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
