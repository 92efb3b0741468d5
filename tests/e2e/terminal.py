"""The screen of a real terminal, which a tmux of its own provides."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.waiting import PATIENCE_S

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
NAMED_KEYS = frozenset({"Tab", "Escape", "Enter", "C-x"})


class Terminal:
    """A tmux of its own with one program in its only pane."""

    def __init__(self, tmux: Path, socket: Path, name: str) -> None:
        """`name` is that of the program, in the names of what is kept."""
        self._program = [str(tmux), "-S", str(socket), "-f", "/dev/null"]
        self._name = name

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
            literal = [] if key in NAMED_KEYS else ["-l"]
            self.run("send-keys", *literal, key)

    @property
    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def keep(self, name: str) -> None:
        """Writes the screen, colours included, where people look after a failure."""
        ARTIFACTS.mkdir(exist_ok=True)
        screen = self.run("capture-pane", "-p", "-e")
        (ARTIFACTS / f"{self._name}-{name}.ansi").write_text(screen)
