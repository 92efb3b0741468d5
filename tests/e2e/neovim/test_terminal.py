"""Neovim on a real terminal: what a person sees, and what is then in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.neovim import documented
from tests.e2e.neovim.editor import Home
from tests.e2e.neovim.terminal import terminal
from tests.e2e.waiting import wait_for, wait_written


def visible(screen: str) -> str:
    """The text of a screen without the empty rows and the padding."""
    return "\n".join(line.rstrip() for line in screen.splitlines()).strip()


@pytest.mark.parametrize("configuration", ["stock", "plugin"])
def test_ghost_text_is_seen_and_tab_puts_it_into_the_file(
    configuration: str, home: Home, source: Path
) -> None:
    init = getattr(documented, configuration)()
    with terminal(home, init, source) as (view, editor):
        editor.wait_ready()
        view.type("Go", "def subtract(a, b):")
        shown = editor.wait_ghost()
        for line in filter(None, (line.strip() for line in shown.splitlines())):
            wait_for(f"{line!r} on the screen", lambda line=line: line in visible(view.screen))
        view.keep(f"{configuration}-suggested")
        typed = editor.text
        view.type("Tab")
        wait_for("the accepted text", lambda: editor.text == typed + shown)
        view.keep(f"{configuration}-accepted")
        view.type("Escape", ":wq", "Enter")
        wait_written(source, f"{typed}{shown}\n")
