"""A real Helix on a real terminal, configured by the very words of the guide."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.availability import had_or_skipped
from tests.e2e.backend import Backend, serve
from tests.e2e.helix.install import Helix, helix
from tests.e2e.terminal import Terminal
from tests.e2e.waiting import wait_for, wait_written

SAID = "return sum(values)"
SOURCE = "FACTOR = 2\n"
GUIDE = Path(__file__).parents[3] / "docs/other-editors.md"
EXAMPLE_URL = "https://gpu.example.com:8700"


@pytest.fixture(scope="module")
def program() -> Helix:
    """Where Helix cannot be had, its test is skipped aloud."""
    return had_or_skipped(helix, "NO HELIX, its end-to-end test does not run")


@pytest.fixture
def backend(tmp_path: Path) -> Generator[Backend, None, None]:
    with serve(tmp_path / "backend", f"{SAID}\n") as running:
        yield running


def documented(url: str) -> str:
    """The configuration of the guide, with the address of a backend."""
    section = GUIDE.read_text().partition("\n## Helix\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```toml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert EXAMPLE_URL in block
    return str(block).replace(EXAMPLE_URL, url)


@contextmanager
def terminal(
    program: Helix, backend: Backend, home: Path, file: Path
) -> Generator[Terminal, None, None]:
    """Helix with a file; the screen is kept where the test fails."""
    settings = home / ".config/helix/languages.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(documented(backend.url))
    view = Terminal(program.tmux, home / "tmux.sock", "helix")
    own = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "CATO_STATE_DIR": str(home / "state"),
        "CATO_BACKEND_AUTOSTART": "false",
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "TERM": "xterm-256color",
    }
    environment = {**os.environ, **program.environment, **own}
    command = [*program.command, str(file)]
    view.run("new-session", "-d", "-x", "100", "-y", "30", *command, env=environment)
    try:
        yield view
    except BaseException:
        view.keep("failed")
        raise
    finally:
        with suppress(subprocess.CalledProcessError):
            view.run("kill-server")


def test_the_menu_has_the_suggestion_and_typing_along_asks_nothing(
    program: Helix, backend: Backend, tmp_path: Path
) -> None:
    file = tmp_path / "sums.py"
    file.write_text(SOURCE)
    with terminal(program, backend, tmp_path, file) as view:
        wait_for("the file", lambda: "FACTOR" in view.screen)
        view.type("ge", "o", "def total(values):", "Enter", "    ")

        def offered() -> bool:
            if SAID not in view.screen:
                view.type("C-x")
            return SAID in view.screen

        # The language server may not have found the backend yet.
        wait_for("the suggestion in the menu", offered)
        asked = backend.replica.asked
        for typed in ("r", "e", "t"):
            view.type(typed)
            wait_for(f"the suggestion after {typed!r}", lambda: view.screen.count(SAID) == 1)
        assert backend.replica.asked == asked
        view.keep("menu")
        view.type("Tab", "Enter")
        wait_for("the line", lambda: f"    {SAID}" in view.screen)
        view.type("Escape", ":wq", "Enter")
        wait_written(file, f"{SOURCE}def total(values):\n    {SAID}\n")
