"""Code lenses: what is offered above which definition, when, and what running one does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.editor import DOCUMENT, Editor, plain
from tests.contract.lsp.launching import Launcher

SAMPLE = (
    "class Sum:\n    def add(self, a, b):\n        return a + b\n\n\n"
    "@cached\ndef mul(a, b):\n    return list(map(lambda x: x * b, a))\n"
)
TITLES = ["Explain", "Document", "Tests"]


@pytest.fixture
async def open_editor(launch: Launcher, url: str) -> Callable[..., Any]:
    """Opens an editor, with lenses switched on, with the document."""

    async def opened(
        text: str = SAMPLE, language_id: str = "python", settings: dict[str, Any] | None = None
    ) -> Editor:
        wanted = {"codeLens": {"enabled": True}} if settings is None else settings
        editor = await launch.editor(settings={"backend": {"url": url}, **wanted})
        editor.open(text, language_id=language_id)
        return editor

    return opened


async def lenses(editor: Editor) -> list[types.CodeLens]:
    params = types.CodeLensParams(types.TextDocumentIdentifier(DOCUMENT))
    return list(await editor.ask(types.TEXT_DOCUMENT_CODE_LENS, params) or ())


def told(found: list[types.CodeLens]) -> list[tuple[int, str]]:
    """The lines and the titles."""
    assert all(lens.command is not None for lens in found)
    return [(lens.range.start.line, lens.command.title) for lens in found if lens.command]


async def test_tasks_are_offered_above_functions_methods_and_classes(
    open_editor: Callable[..., Any], fake: Emulator
) -> None:
    editor = await open_editor()
    before = len(asked(fake))
    found = await lenses(editor)
    assert told(found) == [(line, title) for line in (0, 1, 6) for title in TITLES]
    # Clients that sort the lenses of a line by their place keep this order.
    assert [lens.range.start.character for lens in found[3:6]] == [4, 5, 6]
    assert len(asked(fake)) == before


async def test_a_lens_does_its_task_about_its_definition(open_editor: Callable[..., Any]) -> None:
    editor = await open_editor()
    found = await lenses(editor)
    explain = found[3].command
    assert explain is not None
    params = types.ExecuteCommandParams(explain.command, explain.arguments)
    result = plain(await editor.ask(types.WORKSPACE_EXECUTE_COMMAND, params))
    assert result["title"] == "explanation of add"
    assert result["text"] == "Adds two numbers."


async def test_there_are_none_until_they_are_switched_on(open_editor: Callable[..., Any]) -> None:
    editor = await open_editor(settings={})
    assert await lenses(editor) == []


@pytest.mark.parametrize(
    ("text", "language_id"),
    [
        ("", "python"),
        ("x = 1\n", "python"),
        ("function f()\n  return 1\nend\n", "lua"),
        ("# def f():\n", "markdown"),
        ("struct point p;\nint x;\n", "c"),
        ("describe(() => { it(() => 1); });\n", "javascript"),
    ],
)
async def test_there_are_none_where_nothing_is_defined_or_no_grammar_is_known(
    open_editor: Callable[..., Any], text: str, language_id: str
) -> None:
    editor = await open_editor(text, language_id)
    assert await lenses(editor) == []


async def test_a_model_that_cannot_do_the_tasks_is_not_offered(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    async with gateway(fake, tmp_path) as address:
        settings = {"backend": {"url": address}, "codeLens": {"enabled": True}}
        editor = await launch.editor(settings=settings)
        editor.open(SAMPLE)
        assert await lenses(editor) == []


async def test_a_file_that_is_kept_private_has_none(open_editor: Callable[..., Any]) -> None:
    settings = {"codeLens": {"enabled": True}, "privacy": {"ignore": ["sample.py"]}}
    editor = await open_editor(settings=settings)
    assert await lenses(editor) == []


@pytest.mark.parametrize(("functions", "expected"), [(1000, 3 * 1000), (1001, 0)])
async def test_a_file_of_5000_lines_has_all_of_them_and_one_of_more_definitions_none(
    open_editor: Callable[..., Any], functions: int, expected: int
) -> None:
    text = "".join(f"def f{number}(a):\n    return a\n\n\n\n" for number in range(functions))
    editor = await open_editor(text)
    found = await lenses(editor)
    assert len(found) == expected
    assert told(found)[-1:] in ([], [(4995, "Tests")])


async def test_a_very_long_file_has_none(open_editor: Callable[..., Any]) -> None:
    editor = await open_editor(SAMPLE + "x = 1\n" * 50_000)
    assert await lenses(editor) == []


async def test_the_client_is_told_when_they_come_and_go(launch: Launcher, url: str) -> None:
    editor = await launch.editor(settings={"backend": {"url": url}})
    refreshed = asyncio.Event()

    @editor.feature(types.WORKSPACE_CODE_LENS_REFRESH)
    def refresh(_params: None) -> None:
        refreshed.set()

    editor.open(SAMPLE)
    for wanted in (True, False):
        settings = {"backend": {"url": url}, "codeLens": {"enabled": wanted}}
        editor.set_configuration(settings, section="cato")
        editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
        async with asyncio.timeout(20):
            await refreshed.wait()
        refreshed.clear()
        assert bool(await lenses(editor)) == wanted


async def test_the_client_is_told_when_a_file_becomes_private(launch: Launcher, url: str) -> None:
    settings = {"backend": {"url": url}, "codeLens": {"enabled": True}}
    editor = await launch.editor(settings=settings)
    refreshed = asyncio.Event()

    @editor.feature(types.WORKSPACE_CODE_LENS_REFRESH)
    def refresh(_params: None) -> None:
        refreshed.set()

    editor.open(SAMPLE)
    assert await lenses(editor)
    refreshed.clear()
    editor.set_configuration({**settings, "privacy": {"ignore": ["sample.py"]}}, section="cato")
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
    async with asyncio.timeout(20):
        await refreshed.wait()
    assert await lenses(editor) == []
