"""What a person sees in VS Code, from the first key to the file on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.backend import Backend, serve
from tests.e2e.vscode.code_server import CodeServer
from tests.e2e.vscode.conftest import REPLY, SOURCE, TYPED, Configure, OpenEditor
from tests.e2e.vscode.editor import Editor
from tests.e2e.vscode.files import save, wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

TOKEN = "correct-horse-battery-staple"
INSTALL_TIMEOUT_MS = 160_000
NOTICE_TIMEOUT_MS = 60_000


@pytest.fixture
def in_function(window: OpenEditor, configure: Configure, backend: Backend) -> OpenEditor:
    """Opens a window whose backend is ready, with the cursor in the function of `sums.py`."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Editor]:
        configure(**{"backend.url": backend.url})
        async with window() as editor:
            await editor.wait_status("ready")
            await editor.open("sums.py")
            await editor.press("Control+Home")
            yield editor

    return opened


async def test_ghost_text_appears_and_tab_puts_it_into_the_file(
    window: OpenEditor, configure: Configure, sums: Path, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url})
    async with window() as editor:
        await editor.wait_status("ready")
        await editor.open("sums.py")
        await editor.type(TYPED)
        shown = await editor.wait_ghost_text()
        await editor.press("Tab")
        await save(editor, sums, expected=SOURCE + TYPED + shown)
        await expect(editor.notifications()).to_have_count(0)


async def test_a_docstring_is_previewed_then_undone_in_one_step(
    in_function: OpenEditor, sums: Path
) -> None:
    async with in_function() as editor:
        await editor.run("CATO: Document Function")
        preview = editor.page.locator(".bulk-edit-panel")
        row = preview.get_by_role("checkbox", name="sums.py, making text edits")
        change = row.get_by_role("checkbox").first
        await expect(change).to_be_visible(timeout=NOTICE_TIMEOUT_MS)
        assert sums.read_text() == SOURCE  # noqa: ASYNC240 - a small file
        await change.click()
        await preview.get_by_role("button", name="Apply", exact=True).click()
        await editor.text_of("sums.py").click()
        documented = SOURCE.replace(":\n", f':\n    """{REPLY.strip()}"""\n')
        await save(editor, sums, expected=documented)
        await editor.press("Control+z")
        await save(editor, sums, expected=SOURCE)


async def test_a_function_is_summarized_and_translated_beside(
    in_function: OpenEditor, sums: Path
) -> None:
    async with in_function() as editor:
        await editor.run("CATO: Summarize Function")
        await editor.wait_tab("scale")
        summary = editor.rendered()
        await expect(summary.get_by_text(REPLY.strip())).to_be_visible(timeout=NOTICE_TIMEOUT_MS)
        await editor.keep("summary")
        await summary.get_by_role("link", name="Insert as Documentation").click()
        await editor.text_of("sums.py").click()
        await save(editor, sums, expected=SOURCE.replace(":\n", f':\n    """{REPLY.strip()}"""\n'))
        await editor.press("Control+Home")
        await editor.run("CATO: Translate Function to")
        await editor.choose("Translate the function", "Rust")
        await editor.wait_tab("Rust")
        await expect(editor.text_beside()).to_contain_text(REPLY.strip(), timeout=NOTICE_TIMEOUT_MS)
        # The reply is no Rust: that is said, and nothing else once the progress has gone.
        await expect(editor.notifications()).to_contain_text(["the result cannot be parsed"])
        await editor.page.get_by_role("button", name="Copy", exact=True).click()
        await editor.page.wait_for_function(
            "text => navigator.clipboard.readText().then((copied) => copied.trim() === text)",
            arg=REPLY.strip(),
        )


async def test_a_cancelled_task_ends_in_the_engine_too(
    in_function: OpenEditor, backend: Backend
) -> None:
    replica = backend.replica
    aborted = replica.state["aborted"]
    replica.change(itl_ms=60_000)
    async with in_function() as editor:
        await editor.run("CATO: Summarize Function")
        replica.wait_until("its work", lambda state: state["running"] > 0)
        await editor.agree("Cancel")
        replica.wait_until("its end", lambda state: state["running"] == 0)
        assert replica.state["aborted"] == aborted + 1
        await expect(editor.notifications()).to_have_count(0)
        await expect(editor.tabs()).to_have_count(1)


async def test_a_dead_backend_shows_in_the_status_and_editing_continues(
    window: OpenEditor, configure: Configure, sums: Path, tmp_path: Path
) -> None:
    with serve(tmp_path / "state", REPLY) as backend:
        configure(**{"backend.url": backend.url})
        async with window() as editor:
            await editor.wait_status("ready")
            await editor.open("sums.py")
            backend.kill()
            await editor.type(TYPED)
            await editor.wait_status("no backend", NOTICE_TIMEOUT_MS)
            await editor.type("\n    pass")
            await save(editor, sums, expected=SOURCE + TYPED + "\n    pass")
            await expect(editor.notifications()).to_have_count(0)
            backend.start()
            await editor.wait_status("ready", NOTICE_TIMEOUT_MS)


async def test_the_token_outlives_a_restart_and_completions_can_be_switched_off(
    window: OpenEditor, configure: Configure, code_server: CodeServer, tmp_path: Path
) -> None:
    with serve(tmp_path / "state", REPLY, token=TOKEN) as backend:
        configure(**{"backend.url": backend.url})
        async with window() as editor:
            await editor.wait_status("the backend refused the token")
            await editor.run("CATO: Set Backend Token")
            await editor.answer("token", TOKEN)
            await editor.wait_status("ready")
            first = code_server.language_servers()
            await editor.run("CATO: Restart Language Server")
            await wait_until(lambda: bool(code_server.language_servers() - first))
            await editor.wait_status("ready")
            await editor.status().click()
            await editor.choose("No suggestions yet", "Disable Completions")
            await editor.wait_status("completions are disabled")


async def test_the_first_run_installs_the_language_server(
    window: OpenEditor, backend: Backend
) -> None:
    async with window() as editor:
        await editor.wait_status("starting")
        await editor.agree("Install")
        await editor.wait_status("no backend", INSTALL_TIMEOUT_MS)
        await editor.run("CATO: Set Backend URL")
        await editor.answer("https://", backend.url)
        await editor.wait_status("ready")
        await editor.open("sums.py")
        await editor.type(TYPED)
        assert await editor.wait_ghost_text()
