"""What a person does with a suggestion in Neovim, other than to accept it whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.backend import Backend
from tests.e2e.neovim import documented
from tests.e2e.neovim.conftest import REPLY
from tests.e2e.neovim.editor import Editor, Home, headless
from tests.e2e.waiting import wait_for

BEGUN = "def subtract(a, b):"
TYPE_BEGUN = f"Go{BEGUN}"
NEW_SETTINGS = """
local client = vim.lsp.get_clients({ name = 'cato' })[1]
client.settings = vim.tbl_deep_extend('force', client.settings, { cato = ... })
client:notify('workspace/didChangeConfiguration', { settings = client.settings })
"""


@pytest.fixture(autouse=True)
def usual_reply(backend: Backend) -> None:
    """The backend is shared: each test finds it saying the same."""
    backend.replica.change(reply=REPLY)


def told(home: Home, event: str) -> set[str]:
    """The requests of which the language server stored `event`."""
    file = Path(home.variables["CATO_STATE_DIR"]) / "history.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {entry["request_id"] for entry in map(json.loads, lines) if entry["event"] == event}


def wait_suggested(editor: Editor, text: str) -> None:
    wait_for(f"{text!r}", lambda: editor.ghost.rstrip() == text.rstrip() or None)


def test_it_stays_while_it_is_typed_and_is_taken_piece_by_piece(
    home: Home, source: Path, backend: Backend
) -> None:
    backend.replica.change(reply="\n    total = a - b\n    return total\n")
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.type(TYPE_BEGUN)
        wait_suggested(editor, "\n    total = a - b\n    return total")
        wait_for("the event", lambda: told(home, "shown"))
        asked = backend.replica.asked
        editor.type("<M-l>")
        wait_for("the line", lambda: editor.lines[-1] == "    total = a - b")
        wait_suggested(editor, "\n    return total")
        wait_for("the event", lambda: told(home, "partially_accepted"))
        editor.type("<CR>")
        editor.type("ret")
        wait_suggested(editor, "urn total")
        assert backend.replica.asked == asked
        editor.type("<M-w>")
        wait_for("the word", lambda: editor.lines[-1] == "    return")
        wait_suggested(editor, " total")
        editor.type("<Tab>")
        wait_for("the rest", lambda: editor.lines[-2:] == ["    total = a - b", "    return total"])
        wait_for("the event", lambda: told(home, "accepted"))
        editor.type("<Esc>")
    assert told(home, "accepted") <= told(home, "shown")
    assert told(home, "accepted") == told(home, "partially_accepted")


def test_another_candidate_can_be_turned_to(home: Home, source: Path, backend: Backend) -> None:
    backend.replica.change(reply="first()\n")
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.type("Gototal = ")
        wait_suggested(editor, "first()")
        backend.replica.change(reply="second()\n")
        editor.type("<M-]>")
        wait_suggested(editor, "second() (2/2)")
        editor.type("<M-]>")
        wait_suggested(editor, "first() (1/2)")
        editor.type("<M-[>")
        wait_suggested(editor, "second() (2/2)")
        editor.type("<Tab>")
        wait_for("the text", lambda: editor.lines[-1] == "total = second()")
        wait_for("the event", lambda: told(home, "accepted"))
        editor.type("<Esc>")


def test_nothing_is_suggested_beside_the_menu_of_words(
    home: Home, source: Path, backend: Backend
) -> None:
    backend.replica.change(reply="idate()\n")
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.type("Gototal = val")
        wait_suggested(editor, "idate()")
        editor.type("<C-n>")
        wait_for("the menu", lambda: editor.lua("return vim.fn.pumvisible()") == 1)
        wait_for("its end", lambda: editor.ghost == "")
        editor.type("<C-e><Esc>")


def test_two_editors_at_once_and_settings_that_change(
    home: Home, source: Path, backend: Backend
) -> None:
    second = replace(home, root=home.root / "second")
    second.root.mkdir()
    other = source.with_name("other.py")
    other.write_text(source.read_text())
    init = documented.plugin()
    with headless(home, init, source) as one, headless(second, init, other) as two:
        for editor in (one, two):
            editor.wait_ready()
            editor.type(TYPE_BEGUN)
        for editor in (one, two):
            wait_suggested(editor, REPLY)
        one.lua(NEW_SETTINGS, {"completion": {"enabled": False}})
        wait_for("the status", lambda: one.status == "cato disabled")
        assert two.status == "cato"
        two.type("<Tab>")
        wait_for("the text", lambda: two.lines[-1] == "    return a - b")
        one.lua(NEW_SETTINGS, {"completion": {"enabled": True}})
        wait_for("the status", lambda: one.status == "cato")
        one.type("<BS>:")
        wait_suggested(one, REPLY)
        for editor in (one, two):
            editor.type("<Esc>")
