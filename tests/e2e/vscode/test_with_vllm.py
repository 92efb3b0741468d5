"""The whole path, nothing replaced: VS Code, `cato-lsp`, `cato serve`, vLLM."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import TimeoutError, expect

from tests.e2e.idioms import IDIOMS_BEGUN, Begun
from tests.e2e.real import RealBackend
from tests.e2e.vscode.conftest import SOURCE, Configure, OpenEditor
from tests.e2e.vscode.editor import Editor
from tests.e2e.vscode.files import save

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(600)]

BEGINNINGS = ("def add(a, b):", "\n    ", "total = ", "sum(")
SUGGESTION_TIMEOUT_MS = 8_000
NOTICE_TIMEOUT_MS = 60_000
GENERATED = "vllm:generation_tokens_total"


async def type_until_suggested(editor: Editor) -> tuple[str, str]:
    """What was typed and what is suggested: a small model has nothing to say at some places."""
    typed = ""
    for words in BEGINNINGS:
        await editor.type(words)
        typed += words
        try:
            return typed, await editor.wait_ghost_text(SUGGESTION_TIMEOUT_MS)
        except TimeoutError:
            continue
    raise AssertionError(f"nothing was suggested for {typed!r}")


async def test_what_vllm_writes_is_shown_accepted_and_saved(
    window: OpenEditor, configure: Configure, sums: Path, real_backend: RealBackend
) -> None:
    configure(**{"backend.url": real_backend.url})
    before = real_backend.engine_metrics()[GENERATED]
    async with window() as editor:
        await editor.wait_status("ready")
        await editor.open("sums.py")
        typed, shown = await type_until_suggested(editor)
        await editor.press("Tab")
        await save(editor, sums, expected=SOURCE + typed + shown)
        assert real_backend.engine_metrics()[GENERATED] > before
        await editor.press("Control+Home")
        await editor.run("CATO: Summarize Function")
        # The embedded model is asked for no whole task.
        needed = editor.notifications().filter(has_text="a model that follows instructions")
        await expect(needed).to_be_visible(timeout=NOTICE_TIMEOUT_MS)


async def complete(editor: Editor, begun: Begun, file: Path) -> None:
    """Types the key at its place, accepts what is shown, saves, and leaves nothing open.

    What is open beside a file is context for the model: each file is completed on its own.
    """
    await editor.open(begun.file)
    await editor.press("Control+Home")
    for _ in range(begun.line - 1):
        await editor.press("ArrowDown")
    await editor.press("End")
    await editor.type(begun.key)
    shown = await editor.wait_ghost_text()
    await editor.press("Tab")
    await save(editor, file, expected=begun.place.before + shown + begun.place.after)
    await editor.run("View: Close All Editors")


async def test_idioms_are_completed_to_something_useful(
    window: OpenEditor, configure: Configure, folder: Path, real_backend: RealBackend
) -> None:
    configure(**{"backend.url": real_backend.url})
    for begun in IDIOMS_BEGUN:
        (folder / begun.file).write_text(begun.source, encoding="utf-8")
    async with window() as editor:
        await editor.wait_status("ready")
        for begun in IDIOMS_BEGUN:
            await complete(editor, begun, folder / begun.file)
    for begun in IDIOMS_BEGUN:
        text = (folder / begun.file).read_text(encoding="utf-8")
        assert begun.is_useful(text), text
