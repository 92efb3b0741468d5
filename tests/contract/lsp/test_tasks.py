"""Summaries and translations, through a real gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator, EmulatorState
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.editor import DOCUMENT, Editor, plain
from tests.contract.lsp.launching import Launcher

SAMPLE = "def add(a, b):\n    return a + b\n\n\nx = 1\n"
PLACE = {"textDocument": {"uri": DOCUMENT}, "position": {"line": 1, "character": 4}}
SUMMARY = "Adds two numbers and returns the sum."


@pytest.fixture
async def editor(launch: Launcher, fake: Emulator, tmp_path: Path) -> AsyncIterator[Editor]:
    """An editor with a document, a gateway and a model that summarizes."""
    await fake.change(reply=SUMMARY, model="coder-instruct")
    async with gateway(fake, tmp_path) as url:
        connected = await launch.editor(settings={"backend": {"url": url}})
        connected.open(SAMPLE)
        yield connected


async def test_a_summary_comes_with_progress_and_in_pieces(editor: Editor) -> None:
    tokens = {"workDoneToken": "work", "partialResultToken": "part"}
    result = plain(await editor.ask("cato/summarize", {**PLACE, **tokens}))
    assert result["outcome"] == "ok"
    assert result["text"] == SUMMARY
    assert result["title"] == "summary of add"
    assert result["languageId"] == "markdown"
    edit = result["documentation"]
    assert edit.newText == f'"""{SUMMARY}"""\n    '
    assert edit.range.start == edit.range.end == (1, 4)
    assert edit.version == 1
    assert result["elapsedMs"] > 0
    pieces = [value["delta"] for token, value in editor.progress_values if token == "part"]
    assert len(pieces) > 1
    assert "".join(pieces).strip() == SUMMARY
    kinds = [value["kind"] for token, value in editor.progress_values if token == "work"]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"


async def test_a_translation_names_its_language(editor: Editor, fake: Emulator) -> None:
    await fake.change(reply="func add(a int, b int) int { return a + b }")
    result = plain(await editor.ask("cato/translate", {**PLACE, "targetLanguage": "go"}))
    assert result["outcome"] == "ok"
    assert result["languageId"] == "go"
    assert result["text"].startswith("func add")
    assert "def add(a, b):" in str(asked(fake)[-1].body)


async def test_an_unknown_target_language_is_refused(editor: Editor, fake: Emulator) -> None:
    before = len(asked(fake))
    result = plain(await editor.ask("cato/translate", {**PLACE, "targetLanguage": "klingon"}))
    assert result["outcome"] == "failed"
    assert "no translation to 'klingon': expected one of" in result["message"]
    assert len(asked(fake)) == before


@pytest.mark.parametrize("how", ["request", "progress"])
async def test_a_cancelled_task_says_so_and_ends_upstream(
    editor: Editor, fake: Emulator, how: str
) -> None:
    await fake.change(itl_ms=60_000)
    answer = editor.ask("cato/summarize", {**PLACE, "workDoneToken": "work"}, "task")
    await fake.wait_until(has_task)
    if how == "request":
        editor.cancel("task")
    else:
        editor.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams("work"))
    result = plain(await answer)
    assert result["outcome"] == "cancelled"
    await fake.wait_until(lambda state: state.aborted >= 1)
    assert editor.protocol.answers["task"] == 1
    await editor.until(lambda editor: editor.progress_values[-1][1]["kind"] == "end")


@pytest.mark.parametrize(
    ("command", "language"), [("cato.server.summarize", ()), ("cato.server.translate", ("go",))]
)
async def test_the_commands_answer_the_same(
    editor: Editor, command: str, language: tuple[str, ...]
) -> None:
    arguments = [DOCUMENT, {"line": 1, "character": 4}, *language]
    result = plain(await _execute(editor, command, arguments))
    assert result["outcome"] == "ok"
    assert result["text"] == SUMMARY


async def test_a_command_is_cancelled_like_a_request(editor: Editor, fake: Emulator) -> None:
    await fake.change(itl_ms=60_000)
    arguments = [DOCUMENT, {"line": 1, "character": 4}]
    answer = _execute(editor, "cato.server.summarize", arguments, "command")
    await fake.wait_until(has_task)
    editor.cancel("command")
    assert plain(await answer)["outcome"] == "cancelled"
    await fake.wait_until(lambda state: state.aborted >= 1)


async def test_a_command_with_wrong_arguments_says_what_it_needs(editor: Editor) -> None:
    wrong: tuple[list[Any], ...] = ([], [DOCUMENT], [DOCUMENT, "here"], [DOCUMENT, {"line": "x"}])
    for arguments in wrong:
        result = plain(await _execute(editor, "cato.server.summarize", arguments))
        assert result["outcome"] == "failed"
        assert "needs a document" in result["message"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            {"textDocument": {"uri": DOCUMENT}, "position": {"line": 4, "character": 0}},
            "no function",
        ),
        ({**PLACE, "textDocument": {"uri": "file:///other.py"}}, "not open"),
    ],
)
async def test_where_there_is_nothing_to_do_it_says_so(
    editor: Editor, place: dict[str, Any], message: str
) -> None:
    result = plain(await editor.ask("cato/summarize", place))
    assert result["outcome"] == "failed"
    assert message in result["message"]


async def test_a_failing_replica_is_a_message_not_an_error(editor: Editor, fake: Emulator) -> None:
    await fake.change(faults=[{"kind": "error", "status": 400}])
    result = plain(await editor.ask("cato/summarize", PLACE, "task"))
    assert result["outcome"] == "failed"
    assert result["message"]
    assert not editor.protocol.refusals


async def test_a_plain_openai_server_offers_no_tasks(launch: Launcher, fake: Emulator) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    result = plain(await editor.ask("cato/summarize", PLACE))
    assert result["outcome"] == "failed"
    assert "offers no summarization" in result["message"]


def has_task(state: EmulatorState) -> bool:
    """Whether a request came that is more than the warming of a document."""
    return bool(asked(state))


def _execute(
    editor: Editor, command: str, arguments: list[Any], message_id: str | None = None
) -> Any:
    params = types.ExecuteCommandParams(command, arguments)
    return editor.ask(types.WORKSPACE_EXECUTE_COMMAND, params, message_id)
