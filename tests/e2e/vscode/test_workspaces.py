"""The places that VS Code works in: several folders, notebooks, folders that nobody vouches for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.backend import Backend
from tests.e2e.vscode.code_server import CodeServer
from tests.e2e.vscode.conftest import REPLY, SERVER, SOURCE, TYPED, Configure, OpenEditor
from tests.e2e.vscode.files import save, saved, wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

NOTICE_TIMEOUT_MS = 60_000
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": []}
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def workspace(folder: Path, backend: Backend) -> Path:
    """A workspace of two folders; the second one holds `far.py` and a notebook."""
    other = folder.with_name("other")
    other.mkdir()
    (other / "far.py").write_text(SOURCE, encoding="utf-8")
    (other / "notes.ipynb").write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    settings = {"cato.path": str(SERVER), "cato.backend.url": backend.url}
    file = folder.with_name("both.code-workspace")
    folders = [{"path": str(folder)}, {"path": str(other)}]
    file.write_text(json.dumps({"folders": folders, "settings": settings}), encoding="utf-8")
    return file


async def test_every_folder_and_a_notebook_have_suggestions(
    window: OpenEditor, workspace: Path
) -> None:
    async with window(workspace) as editor:
        await editor.wait_status("ready")
        for name in ("sums.py", "far.py"):
            await editor.find(name)
            await editor.type(TYPED)
            assert await editor.wait_ghost_text()
            await editor.press("Tab")
            file = workspace.parent / ("project" if name == "sums.py" else "other") / name
            await save(editor, file, expected=SOURCE + TYPED + REPLY)
        await editor.open_cell("notes.ipynb")
        await editor.type(TYPED)
        assert await editor.wait_ghost_text()
        await editor.keep("notebook")
        await editor.press("Tab")
        notebook = workspace.parent / "other/notes.ipynb"
        assert await saved(editor, lambda: "return a + b" in notebook.read_text(encoding="utf-8"))
        await expect(editor.notifications()).to_have_count(0)


async def test_an_untrusted_folder_chooses_neither_server_nor_backend(
    window: OpenEditor, configure: Configure, code_server: CodeServer, backend: Backend
) -> None:
    configure(path="/bin/false", **{"backend.url": "http://127.0.0.1:9"})
    code_server.set_settings(
        {
            "security.workspace.trust.enabled": True,
            "security.workspace.trust.startupPrompt": "never",
        },
        {"cato.path": str(SERVER), "cato.backend.url": backend.url},
    )
    async with window() as editor:
        await editor.wait_status("ready")
        await editor.keep("untrusted")
        await editor.open("sums.py")
        await editor.type(TYPED)
        assert await editor.wait_ghost_text()


async def test_the_menu_pauses_and_switches_a_language(
    window: OpenEditor, configure: Configure, code_server: CodeServer, backend: Backend
) -> None:
    configure(**{"backend.url": backend.url})
    async with window() as editor:
        await editor.wait_status("ready")
        await editor.open("sums.py")
        await editor.type(TYPED)
        assert await editor.wait_ghost_text()
        await editor.press("Tab")
        await editor.status().click()
        await expect(editor.menu_title()).to_contain_text("cato-embedded")
        await editor.keep("menu")
        await editor.choose("Latency:", "Pause Completions")
        await editor.wait_status("paused in this window")
        await editor.run("CATO: Pause or Resume")
        await editor.wait_status("ready")
        await editor.status().click()
        # How many of the suggestions on the way were shown depends on the machine.
        await editor.choose("Accepted: ", "Disable for python")
        switched = {"python": {"enabled": False}}
        await wait_until(lambda: code_server.settings.get("cato.languages") == switched)
        await editor.run("CATO: Copy Diagnostics")
        await expect(editor.notifications()).to_have_count(1)
        report = await editor.clipboard()
        assert f'"url":"{backend.url}"' in report
        assert "token: not set" in report
        await editor.run("CATO: Get Started")
        heading = editor.page.get_by_role("heading", name="Get Started with CATO", level=2)
        await expect(heading).to_be_visible(timeout=NOTICE_TIMEOUT_MS)
        await editor.keep("walkthrough")
