"""Whole tasks as commands and code actions: what comes into the document, and how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator
from cato_lsp.tasks.selection import MOST_UNITS
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.editor import DOCUMENT, Editor, plain
from tests.contract.lsp.launching import Launcher
from tests.contract.lsp.test_tasks import has_task

SAMPLE = "import os\n\n\ndef add(a, b):\n    return a + c\n\n\n# multiply two numbers\n"
IN_ADD = {"line": 3, "character": 4}
ON_COMMENT = {"line": 7, "character": 5}
DIAGNOSTIC = {
    "range": {"start": {"line": 4, "character": 15}, "end": {"line": 4, "character": 16}},
    "message": "undefined name 'c'",
}
ADD = "def add(a, b):\n    return a + b"


@pytest.fixture
async def open_editor(launch: Launcher, url: str) -> Callable[..., Any]:
    """Opens an editor with the document; its edits are answered by `applied`, and recorded."""

    async def opened(
        client: str = "vscode", text: str = SAMPLE, language_id: str = "python"
    ) -> tuple[Editor, list[types.ApplyWorkspaceEditParams]]:
        editor = await launch.editor(settings={"backend": {"url": url}}, client=client)
        edits: list[types.ApplyWorkspaceEditParams] = []

        @editor.feature(types.WORKSPACE_APPLY_EDIT)
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            edits.append(params)
            return types.ApplyWorkspaceEditResult(applied=True)

        editor.open(text, language_id=language_id)
        return editor, edits

    return opened


def run(editor: Editor, verb: str, *arguments: Any, message_id: str | None = None) -> Any:
    params = types.ExecuteCommandParams(f"cato.server.{verb}", [DOCUMENT, *arguments])
    return editor.ask(types.WORKSPACE_EXECUTE_COMMAND, params, message_id)


async def under_way(
    open_editor: Callable[..., Any],
    fake: Emulator,
    verb: str,
    *,
    message_id: str | None = None,
    **times_ms: float,
) -> tuple[Editor, list[types.ApplyWorkspaceEditParams], Any]:
    """An editor, its edits, and the answer to a task that the model has begun, at `times_ms`."""
    await fake.change(**times_ms)
    editor, edits = await open_editor()
    answer = run(editor, verb, IN_ADD, message_id=message_id)
    await fake.wait_until(has_task)
    return editor, edits, answer


def only_edit(params: types.ApplyWorkspaceEditParams) -> tuple[int | None, list[Any]]:
    """The version and the edits of the one document."""
    (change,) = params.edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    return change.text_document.version, list(change.edits)


def applied(edits: list[Any], text: str = SAMPLE) -> str:
    """The text after the edits; they are of ASCII lines."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    places = [
        (
            starts[e.range.start.line] + e.range.start.character,
            starts[e.range.end.line] + e.range.end.character,
            e.new_text,
        )
        for e in edits
    ]
    for start, end, new in sorted(places, reverse=True):
        text = text[:start] + new + text[end:]
    return text


async def test_a_docstring_is_previewed_and_inserted(open_editor: Callable[..., Any]) -> None:
    editor, edits = await open_editor()
    result = plain(await run(editor, "document", IN_ADD))
    assert (result["outcome"], result["applied"]) == ("ok", True)
    version, changes = only_edit(edits[0])
    assert version == 1
    assert applied(changes) == SAMPLE.replace(
        "    return", '    """Adds two numbers."""\n    return'
    )
    (annotation,) = (edits[0].edit.change_annotations or {}).values()
    assert annotation.needs_confirmation
    assert "documentation of add" in annotation.label


async def test_a_client_that_edits_no_versions_is_told_the_edits(
    open_editor: Callable[..., Any],
) -> None:
    editor, edits = await open_editor("neovim")
    result = plain(await run(editor, "document", IN_ADD))
    assert not edits
    assert not result["applied"]
    (edit,) = result["edits"]
    assert edit["version"] == 1
    assert '"""Adds two numbers."""' in edit["newText"]


async def test_every_definition_of_a_file_is_documented_in_one_step(
    open_editor: Callable[..., Any],
) -> None:
    text = "class A:\n    def f(self):\n        return 1\n\n\ndef g():\n    return 2\n"
    editor, edits = await open_editor(text=text)
    result = plain(await run(editor, "document", None))
    assert [unit["name"] for unit in result["units"]] == ["A", "f", "g"]
    assert len(edits) == 1
    assert applied(only_edit(edits[0])[1], text).count('"""Adds two numbers."""') == 3


async def test_a_diagnostic_is_fixed(open_editor: Callable[..., Any], fake: Emulator) -> None:
    await fake.change(reply=f"Here:\n```python\n{ADD}\n```\n")
    editor, edits = await open_editor()
    await run(editor, "fix", DIAGNOSTIC["range"], [DIAGNOSTIC])
    assert applied(only_edit(edits[0])[1]) == SAMPLE.replace("a + c", "a + b")
    assert "- line 2: undefined name 'c'" in str(asked(fake)[-1].body)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("There is no error in this code.", "add: the model answered with text"),
        ("```python\ndef add(a, b):\n    return (a\n```", "add would bring new syntax errors"),
    ],
)
async def test_what_is_no_fix_is_shown_and_does_not_replace_the_code(
    open_editor: Callable[..., Any], fake: Emulator, reply: str, message: str
) -> None:
    await fake.change(reply=reply)
    editor, edits = await open_editor()
    result = plain(await run(editor, "fix", DIAGNOSTIC["range"], [DIAGNOSTIC]))
    assert not edits
    assert (result["outcome"], result["edits"]) == ("ok", [])
    assert result["text"]
    assert message in result["message"]


async def test_a_fix_outside_a_function_takes_the_place_of_the_whole_line(
    open_editor: Callable[..., Any], fake: Emulator
) -> None:
    text = "x = 1\npritn(x)\n"
    start, end = {"line": 1, "character": 0}, {"line": 1, "character": 5}
    said = {"range": {"start": start, "end": end}, "message": "undefined name 'pritn'"}
    await fake.change(reply="```python\nprint(x)\n```")
    editor, edits = await open_editor(text=text)
    await run(editor, "fix", said["range"], [said])
    assert applied(only_edit(edits[0])[1], text) == "x = 1\nprint(x)\n"


async def test_code_comes_below_the_comment(
    open_editor: Callable[..., Any], fake: Emulator
) -> None:
    await fake.change(reply="```python\ndef multiply(a, b):\n    return a * b\n```")
    editor, edits = await open_editor()
    await run(editor, "generate", ON_COMMENT)
    assert applied(only_edit(edits[0])[1]).endswith(
        "# multiply two numbers\ndef multiply(a, b):\n    return a * b\n"
    )


@pytest.mark.parametrize("verb", ["explain", "test"])
async def test_what_has_no_place_in_the_document_is_answered(
    open_editor: Callable[..., Any], verb: str
) -> None:
    editor, edits = await open_editor()
    result = plain(await run(editor, verb, IN_ADD))
    assert result["outcome"] == "ok"
    assert result["text"]
    assert result["languageId"] == ("markdown" if verb == "explain" else "python")
    assert not edits


async def test_the_pieces_of_a_command_come_under_its_token(
    open_editor: Callable[..., Any], fake: Emulator
) -> None:
    text = "def f():\n    return 1\n\n\ndef g():\n    return 2\n"
    editor, _ = await open_editor(text=text)
    params = {
        "command": "cato.server.summarize",
        "arguments": [DOCUMENT, None],
        "partialResultToken": "part",
    }
    message = {"id": "command", "method": types.WORKSPACE_EXECUTE_COMMAND, "params": params}
    answer = editor.expect("command")
    editor.send_together(message)
    result = plain(await answer)
    pieces = [value["delta"] for token, value in editor.progress_values if token == "part"]
    assert len(pieces) > 2
    assert "".join(pieces) == result["text"]
    assert result["text"] == "**f**: Adds two numbers.\n\n**g**: Adds two numbers."


async def test_pieces_that_are_void_are_told(
    open_editor: Callable[..., Any], fake: Emulator
) -> None:
    await fake.change(reply="again and again " * 200)
    editor, _ = await open_editor()
    params = {
        "textDocument": {"uri": DOCUMENT},
        "position": IN_ADD,
        "partialResultToken": "part",
    }
    result = plain(await editor.ask("cato/summarize", params))
    assert result["outcome"] == "failed"
    told = [value for token, value in editor.progress_values if token == "part"]
    assert {"delta": "", "restart": True} in told
    assert told[0]["delta"]


async def test_a_unit_that_moved_meanwhile_gets_its_edit(
    open_editor: Callable[..., Any], fake: Emulator
) -> None:
    editor, edits, answer = await under_way(open_editor, fake, "document", ttft_ms=500)
    editor.type("import re\n", 0, 0, version=2)
    assert plain(await answer)["applied"]
    version, changes = only_edit(edits[0])
    assert version == 2
    assert applied(changes, f"import re\n{SAMPLE}") == f"import re\n{SAMPLE}".replace(
        "    return", '    """Adds two numbers."""\n    return'
    )


async def test_a_unit_that_was_edited_meanwhile_is_left_alone(
    open_editor: Callable[..., Any], fake: Emulator
) -> None:
    editor, edits, answer = await under_way(open_editor, fake, "document", ttft_ms=500)
    editor.type("x", 3, 8, version=2)
    result = plain(await answer)
    assert result["outcome"] == "ok"
    assert "add was changed meanwhile" in result["message"]
    assert result["text"] == "Adds two numbers."
    assert not edits


async def test_a_cancelled_command_edits_nothing(
    open_editor: Callable[..., Any], fake: Emulator
) -> None:
    editor, edits, answer = await under_way(
        open_editor, fake, "test", message_id="command", itl_ms=60_000
    )
    editor.cancel("command")
    assert plain(await answer)["outcome"] == "cancelled"
    await fake.wait_until(lambda state: state.aborted >= 1)
    assert not edits


@pytest.mark.parametrize(
    ("text", "language_id", "said"),
    [
        ("", "python", "the file is empty"),
        ("x = 1\n", "python", "no function or class"),
        ("x\ny\n", "plaintext", "no function or class"),
    ],
)
async def test_where_there_is_nothing_to_document_it_says_so(
    open_editor: Callable[..., Any], text: str, language_id: str, said: str
) -> None:
    editor, _ = await open_editor(text=text, language_id=language_id)
    result = plain(await run(editor, "document", None))
    assert result["outcome"] == "failed"
    assert said in result["message"]


async def test_actions_are_what_the_model_can_do_here(open_editor: Callable[..., Any]) -> None:
    editor, _ = await open_editor()
    actions = await _actions(editor, IN_ADD, diagnostics=[DIAGNOSTIC])
    titles = [action["title"] for action in actions]
    assert titles == [
        "CATO: Fix: undefined name 'c'",
        "CATO: Document add",
        "CATO: Write tests for add",
        "CATO: Explain add",
        "CATO: Document all functions and classes",
    ]
    assert [action["kind"] for action in actions] == [
        "quickfix",
        *["refactor.rewrite"] * 3,
        "source",
    ]
    command = actions[0]["command"]
    params = types.ExecuteCommandParams(command["command"], command["arguments"])
    result = plain(await editor.ask(types.WORKSPACE_EXECUTE_COMMAND, params))
    assert result["outcome"] == "ok"


async def test_only_the_wanted_kinds_are_offered(open_editor: Callable[..., Any]) -> None:
    editor, _ = await open_editor()
    actions = await _actions(editor, ON_COMMENT, only=["refactor"])
    assert [action["title"] for action in actions] == ["CATO: Generate what the comment says"]


@pytest.mark.parametrize(
    ("text", "language_id", "place"),
    [
        ("# A heading\n\ntext\n", "markdown", (0, 4)),
        ('{"a": 1}\n', "json", (0, 0)),
        ("", "python", (0, 0)),
        ("x = 1\n", "python", (0, 0)),
        ("#!/bin/sh\nls\n", "shellscript", (0, 4)),
        ("def f(): pass\n" * (MOST_UNITS + 1), "python", (MOST_UNITS + 1, 0)),
    ],
)
async def test_nothing_is_offered_that_cannot_be_done(
    open_editor: Callable[..., Any], text: str, language_id: str, place: tuple[int, int]
) -> None:
    editor, _ = await open_editor(text=text, language_id=language_id)
    assert await _actions(editor, {"line": place[0], "character": place[1]}) == []


async def test_the_embedded_model_offers_nothing_and_says_what_is_needed(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    async with gateway(fake, tmp_path) as address:
        editor = await launch.editor(settings={"backend": {"url": address}})
        editor.open(SAMPLE)
        assert await _actions(editor, IN_ADD) == []
        for verb in ("summarize", "document"):
            result = plain(await run(editor, verb, IN_ADD))
            assert result["outcome"] == "failed"
            assert f"cannot {verb} usefully" in result["message"]
            assert "cato model fetch" in result["message"]


async def _actions(editor: Editor, place: dict[str, int], **context: Any) -> list[dict[str, Any]]:
    """The actions as they are sent: the client's converter takes each for a command."""
    params = {
        "textDocument": {"uri": DOCUMENT},
        "range": {"start": place, "end": place},
        "context": {"diagnostics": [], **context},
    }
    message = {"id": "actions", "method": types.TEXT_DOCUMENT_CODE_ACTION, "params": params}
    answer = editor.expect("actions")
    editor.send_together(message)
    return list(await answer or ())
