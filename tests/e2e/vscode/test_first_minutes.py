"""What a person meets in the first minutes, and what the buttons of messages do."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.backend import Backend, serve
from tests.e2e.vscode.conftest import REPLY, Configure, OpenEditor
from tests.e2e.vscode.editor import TIMEOUT_MS, Editor

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

TOKEN = "correct-horse-battery-staple"


async def expect_first_entry(editor: Editor, words: str) -> None:
    """Wait until the status item's menu begins with an entry of these words.

    The entries of a menu that was closed stand there until the next one is shown.
    """
    await editor.status().click()
    row = editor.page.locator(".quick-input-list .monaco-list-row").first
    await expect(row).to_contain_text(words, timeout=TIMEOUT_MS)


async def test_without_a_language_server_there_is_a_choice(window: OpenEditor) -> None:
    async with window() as editor:
        toast = editor.page.locator(".notifications-toasts")
        for button in ("Install", "Choose…", "Not Now"):
            await expect(toast.get_by_role("button", name=button)).to_be_visible(timeout=TIMEOUT_MS)
        await editor.keep("install")
        await editor.agree("Not Now")
        await editor.wait_status("no language server")
        await expect_first_entry(editor, "Install Language Server")


async def test_the_remedy_is_the_first_entry_and_no_latency_is_shown(
    window: OpenEditor, configure: Configure, tmp_path: Path
) -> None:
    with serve(tmp_path / "state", REPLY) as backend:
        configure(**{"backend.url": backend.url})
        async with window() as editor:
            await editor.wait_status("ready")
            await editor.open("sums.py")
            await editor.type("def add(a, b):")
            await editor.wait_ghost_text()
            await expect(editor.status()).to_contain_text(" ms", timeout=TIMEOUT_MS)
            await editor.status().click()
            await expect(editor.menu_title()).to_contain_text("Model: cato-embedded")
            await editor.keep("menu")
            await editor.press("Escape")
            backend.kill()
            await editor.type("\n")
            await editor.wait_status("no backend")
            await expect(editor.status()).not_to_contain_text(" ms")
            await expect_first_entry(editor, "Set Backend URL")


async def test_a_language_that_is_switched_off_has_no_tick(
    window: OpenEditor, configure: Configure, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url, "languages": {"python": {"enabled": False}}})
    async with window() as editor:
        await editor.wait_status("ready")
        await editor.open("sums.py")
        await editor.wait_status("off for python")
        await expect_first_entry(editor, "Enable for python")


async def test_a_refused_token_is_told_with_the_button_that_helps(
    window: OpenEditor, configure: Configure, tmp_path: Path
) -> None:
    with serve(tmp_path / "state", REPLY, token=TOKEN) as backend:
        configure(**{"backend.url": backend.url})
        async with window() as editor:
            await editor.agree("Set Token")
            await editor.answer("token", TOKEN)
            await editor.wait_status("ready")


async def test_the_walkthrough_ticks_what_is_true_and_ends_with_a_file_to_try(
    window: OpenEditor, configure: Configure, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url})
    async with window() as editor:
        await editor.wait_status("ready")
        await editor.run("CATO: Get Started")
        steps = editor.page.locator(".getting-started-step")
        await expect(steps).to_have_count(5, timeout=TIMEOUT_MS)
        for done in (0, 1):
            box = steps.nth(done).get_by_role("checkbox")
            await expect(box).to_be_checked(timeout=10000)
        await steps.last.click()
        await editor.keep("walkthrough")
        await steps.last.get_by_role("button", name="Open a File to Try").click()
        await editor.wait_tab("Untitled-1")
        assert await editor.wait_ghost_text()
