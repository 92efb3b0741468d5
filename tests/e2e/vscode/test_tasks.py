"""Whole tasks in VS Code: results that fill beside the code, code lenses, keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.e2e.backend import Backend
from tests.e2e.vscode.conftest import REPLY, SOURCE, Configure, OpenEditor
from tests.e2e.vscode.editor import TIMEOUT_MS, Editor
from tests.e2e.vscode.files import save

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

WORDS = " ".join(f"word{number}" for number in range(40))


def lens(editor: Editor, words: str) -> Locator:
    """A code lens that says `words`."""
    return editor.page.locator(".codelens-decoration a", has_text=words)


async def opened(editor: Editor) -> None:
    """Opens the file and puts the cursor into its function."""
    await editor.wait_status("ready")
    await editor.open("sums.py")
    await editor.press("Control+Home")


async def test_an_explanation_fills_beside_the_code(
    window: OpenEditor, configure: Configure, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url})
    backend.replica.change(reply=WORDS, itl_ms=150)
    async with window() as editor:
        await opened(editor)
        await editor.press("Control+k")
        await editor.press("Alt+e")
        await editor.wait_tab("explanation of scale")
        shown = editor.rendered()
        await expect(shown.get_by_text("word0 word1")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(shown.get_by_text("(running)")).to_be_visible()
        await expect(shown.get_by_role("link", name="Cancel")).to_be_visible()
        assert backend.replica.running == 1
        await editor.keep("explanation-fills")
        await expect(shown.get_by_text(WORDS)).to_be_visible(timeout=TIMEOUT_MS)
        await expect(shown.get_by_role("link", name="Save As…")).to_be_visible()
        await expect(shown.get_by_text("(running)")).to_have_count(0)
        await shown.get_by_role("link", name="Copy").click()
        await editor.page.wait_for_function(
            "text => navigator.clipboard.readText().then((copied) => copied === text)", arg=WORDS
        )


async def test_a_translation_fills_and_is_brought_into_the_code(
    window: OpenEditor, configure: Configure, sums: Path, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url})
    code = "fn scale() {\n" + "".join(f"    step({number});\n" for number in range(12)) + "}"
    backend.replica.change(reply=f"```rust\n{code}\n```", itl_ms=300)
    async with window() as editor:
        await opened(editor)
        await editor.run("CATO: Translate Function to")
        await editor.choose("Translate the function", "Rust")
        await editor.wait_tab("Rust")
        await expect(lens(editor, "Cancel")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(editor.text_beside()).to_contain_text("step(0)", timeout=TIMEOUT_MS)
        await editor.keep("translation-fills")
        await expect(lens(editor, "Insert at Cursor")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(lens(editor, "Cancel")).to_have_count(0)
        await expect(editor.text_beside()).to_contain_text("step(11)")
        await lens(editor, "Insert at Cursor").click()
        await editor.text_of("sums.py").click()
        await save(editor, sums, expected=code + SOURCE)
        await editor.press("Control+z")
        await save(editor, sums, expected=SOURCE)
        await lens(editor, "Replace Selection").click()
        await expect(editor.notifications()).to_contain_text(["select first"])
        await editor.text_of("sums.py").click()
        await editor.press("Control+a")
        await lens(editor, "Replace Selection").click()
        await editor.page.locator(".editor-group-container").first.locator(".tab").first.click()
        await save(editor, sums, expected=code)


@pytest.mark.parametrize("how", ["button", "closing"])
async def test_the_work_ends_with_its_display(
    window: OpenEditor, configure: Configure, backend: Backend, how: str
) -> None:
    configure(**{"backend.url": backend.url})
    backend.replica.change(reply=WORDS, itl_ms=400)
    async with window() as editor:
        await opened(editor)
        await editor.run("CATO: Explain Code")
        shown = editor.rendered()
        await expect(shown.get_by_text("word0")).to_be_visible(timeout=TIMEOUT_MS)
        if how == "button":
            await shown.get_by_role("link", name="Cancel").click()
            note = shown.get_by_text("cancelled: the text is incomplete")
            await expect(note).to_be_visible(timeout=TIMEOUT_MS)
            await expect(shown.get_by_text("word0")).to_be_visible()
        else:
            tab = editor.tabs().filter(has_text="explanation of scale")
            await tab.get_by_role("button", name="Close").click()
            await expect(editor.tabs()).to_have_count(1)
        backend.replica.wait_until("its end", lambda state: state["running"] == 0)
        await expect(editor.notifications()).to_have_count(0)


async def test_lenses_stand_above_functions_and_come_and_go_with_the_setting(
    window: OpenEditor, configure: Configure, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url})
    async with window() as editor:
        await opened(editor)
        await expect(lens(editor, "Explain")).to_have_count(0)
        configure(**{"backend.url": backend.url, "codeLens.enabled": True})
        await expect(lens(editor, "Explain")).to_be_visible(timeout=TIMEOUT_MS)
        row = editor.page.locator(".codelens-decoration")
        assert " ".join((await row.inner_text()).split()) == "Explain | Document | Tests"
        await editor.keep("lenses")
        await lens(editor, "Explain").click()
        await editor.wait_tab("explanation of scale")
        await expect(editor.rendered().get_by_text(REPLY.strip())).to_be_visible(timeout=TIMEOUT_MS)
        await lens(editor, "Tests").first.click()
        await editor.wait_tab("tests for scale")
        configure(**{"backend.url": backend.url})
        first = editor.page.locator(".editor-group-container").first
        await expect(first.locator(".codelens-decoration")).to_have_count(0, timeout=TIMEOUT_MS)
