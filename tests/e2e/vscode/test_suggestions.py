"""What a person does with a suggestion in VS Code, other than to accept it whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.backend import Backend
from tests.e2e.vscode.code_server import CodeServer
from tests.e2e.vscode.conftest import SOURCE, Configure, OpenEditor
from tests.e2e.vscode.editor import Editor
from tests.e2e.vscode.files import save, solid, wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

BEGUN = "def add(a, b):"
REST = "\n    total = a + b\n    return total\n"


async def ghost_is(editor: Editor, text: str) -> None:
    """Waits until `text` is suggested, white space apart. Raises AssertionError with what is."""
    shown = ""
    for _ in range(20):
        shown = await editor.wait_ghost_text()
        if solid(shown) == solid(text):
            return
        await asyncio.sleep(0.2)
    assert solid(shown) == solid(text)


async def test_it_stays_while_it_is_typed_and_is_taken_piece_by_piece(
    window: OpenEditor, configure: Configure, sums: Path, backend: Backend, code_server: CodeServer
) -> None:
    configure(**{"backend.url": backend.url})
    backend.replica.change(reply=REST)
    before = len(code_server.history)

    def told(event: str) -> list[str]:
        found = code_server.history[before:]
        return [entry["request_id"] for entry in found if entry["event"] == event]

    async with window() as editor:
        await editor.wait_status("ready")
        await editor.open("sums.py")
        await editor.type(BEGUN)
        await ghost_is(editor, REST)
        await editor.keep("suggested")
        await wait_until(lambda: bool(told("shown")))
        asked = backend.replica.asked
        # To VS Code, the end of a line is a piece of its own.
        await editor.press("Control+Alt+l")
        await editor.press("Control+Alt+l")
        await ghost_is(editor, "return total")
        await wait_until(lambda: bool(told("partially_accepted")))
        await editor.keep("line-taken")
        taken = len(told("partially_accepted"))
        await editor.type("    ret")
        await ghost_is(editor, "urn total")
        await editor.keep("typed-along")
        assert backend.replica.asked == asked
        assert len(told("partially_accepted")) == taken
        await editor.press("Control+ArrowRight")
        await ghost_is(editor, " total")
        await editor.press("Tab")
        await save(editor, sums, expected=SOURCE + BEGUN + REST)
        await editor.keep("accepted")
        await wait_until(lambda: bool(told("accepted")))
    assert set(told("accepted")) == set(told("partially_accepted")) <= set(told("shown"))
    assert not set(told("rejected")) & set(told("accepted"))


async def test_another_candidate_can_be_turned_to(
    window: OpenEditor, configure: Configure, sums: Path, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url})
    backend.replica.change(reply="first()\n")
    async with window() as editor:
        await editor.wait_status("ready")
        await editor.open("sums.py")
        await editor.type("total = ")
        await ghost_is(editor, "first()")
        backend.replica.change(reply="second()\n")
        await editor.press("Alt+]")
        await ghost_is(editor, "second()")
        await editor.press("Alt+]")
        await ghost_is(editor, "first()")
        await editor.press("Alt+[")
        await ghost_is(editor, "second()")
        await editor.keep("another-candidate")
        await editor.press("Tab")
        await save(editor, sums, expected=SOURCE + "total = second()")


async def test_beside_the_menu_of_words_only_what_goes_on_from_its_word_is_suggested(
    window: OpenEditor, configure: Configure, backend: Backend
) -> None:
    menu = {"editor.wordBasedSuggestions": "currentDocument"}
    configure(**{"backend.url": backend.url}, **menu)
    backend.replica.change(reply="idate()\n")
    async with window() as editor:
        await editor.wait_status("ready")
        await editor.open("sums.py")
        await editor.type("total = val")
        await ghost_is(editor, "idate()")
        await editor.press("Control+Space")
        await editor.wait_menu()
        await editor.wait_no_ghost_text()
        await editor.keep("menu-alone")
        await editor.press("Escape")
        backend.replica.change(reply="ue + 1\n")
        await editor.type("\nother = val")
        await ghost_is(editor, "ue + 1")
        await editor.press("Control+Space")
        await editor.wait_menu()
        await ghost_is(editor, "ue + 1")
        await editor.keep("menu-and-suggestion")


async def test_two_windows_at_once_follow_the_settings_as_they_change(
    window: OpenEditor, configure: Configure, folder: Path, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url})
    backend.replica.change(reply=REST)
    (folder / "other.py").write_text(SOURCE, encoding="utf-8")

    async def suggested(editor: Editor, name: str, text: str) -> None:
        await editor.wait_status("ready")
        await editor.open(name)
        await editor.type(text)

    async with window() as one, window() as other:
        both = (one, other)
        await asyncio.gather(suggested(one, "sums.py", BEGUN), suggested(other, "other.py", BEGUN))
        await asyncio.gather(*(ghost_is(editor, REST) for editor in both))
        configure(**{"backend.url": backend.url, "completion.enabled": False})
        await asyncio.gather(*(editor.wait_status("completions are disabled") for editor in both))
        await asyncio.gather(*(editor.wait_no_ghost_text() for editor in both))
        configure(**{"backend.url": backend.url})
        await asyncio.gather(*(editor.wait_status("ready") for editor in both))
        await one.keep("one-of-two-windows")
