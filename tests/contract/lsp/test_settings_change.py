"""Settings that change while somebody types hold for what is shown from then on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lsprotocol import types

from cato_lab.emulator import Emulator
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.editor import Editor, text_of
from tests.contract.lsp.launching import Launcher

SIGNATURE = "def add(a, b):"
BODY = "\n    total = a + b\n    return total"


async def opened(launch: Launcher, fake: Emulator, **completion: Any) -> Editor:
    await fake.change(reply=BODY + "\n")
    editor = await launch.editor(settings=_settings(fake.url, completion=completion))
    editor.open(SIGNATURE)
    return editor


async def change(editor: Editor, url: str, **sections: Any) -> None:
    """Returns once the server goes by the new settings: it complains of one among them."""
    settings = {"trace": "unknown", **_settings(url, **sections)}
    editor.set_configuration(settings, section="cato")
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
    await editor.until(lambda editor: editor.messages)


def _settings(url: str, **sections: Any) -> dict[str, Any]:
    return {"backend": {"url": url}, **sections}


async def test_fewer_lines_hold_for_what_is_on_the_screen(launch: Launcher, fake: Emulator) -> None:
    editor = await opened(launch, fake, minConfidence=0)
    assert text_of(await editor.inline(0, 14, automatic=True)) == BODY
    await change(editor, fake.url, completion={"maxLines": 2, "minConfidence": 0})
    assert text_of(await editor.inline(0, 14, automatic=True)) == "\n    total = a + b"
    editor.type("\n    tot", 0, 14, 2)
    assert text_of(await editor.inline(1, 7, automatic=True)) == "al = a + b"
    assert len(fake.requests) == 1


async def test_more_lines_are_asked_for_where_they_were_not_read(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake, maxLines=2)
    assert text_of(await editor.inline(0, 14, automatic=True)) == "\n    total = a + b"
    await change(editor, fake.url, completion={"maxLines": 40})
    assert text_of(await editor.inline(0, 14, automatic=True)) == BODY
    assert len(fake.requests) == 2


async def test_a_confidence_is_asked_for_where_it_was_not_told(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake, minConfidence=0)
    await fake.change(logprobs={"retu": math.log(0.5)})
    assert text_of(await editor.inline(0, 14, automatic=True)) == BODY
    await change(editor, fake.url, completion={"minConfidence": 0.8})
    assert text_of(await editor.inline(0, 14, automatic=True)) == "\n    total = a + b"
    assert [request.body.get("logprobs") for request in fake.requests] == [None, 0]


async def test_a_language_that_is_switched_off_is_silent_at_once(
    launch: Launcher, fake: Emulator
) -> None:
    waits = {"debounceMs": 2000, "adaptiveDebounce": False}
    editor = await opened(launch, fake, **waits)
    answer = editor.inline(0, 14, automatic=True)
    off = {"python": {"enabled": False}}
    await change(editor, fake.url, completion=waits, languages=off)
    assert await answer is None
    assert await editor.inline(0, 14) is None
    assert not fake.requests


async def test_a_stream_about_a_file_that_is_kept_from_now_on_ends(
    launch: Launcher, fake: Emulator
) -> None:
    await fake.change(ttft_ms=60_000)
    patient = {"timeoutMs": 60_000}
    editor = await opened(launch, fake, **patient)
    answer = editor.inline(0, 14, automatic=True)
    await fake.wait_until(lambda state: len(state.requests) == 1)
    await change(editor, fake.url, completion=patient, privacy={"ignore": ["*.py"]})
    assert await answer is None
    await fake.wait_until(lambda state: state.aborted == 1)


async def test_what_was_gathered_of_a_file_that_is_kept_from_now_on_is_forgotten(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text("def price_of(basket: list[int]) -> int:\n    return 1\n")
    main = (tmp_path / "main.py").as_uri()
    async with gateway(fake, tmp_path) as url:
        editor = await launch.editor(settings=_settings(url))
        editor.open("from shop import price_of\n\ntotal = ", main)
        await editor.inline(2, 8, main)
        assert "basket" in str(asked(fake)[-1].body["prompt"])
        await change(editor, url, privacy={"ignore": ["shop.py"]})
        editor.type("1 + ", 2, 8, 2, main)
        await editor.inline(2, 12, main)
        assert "basket" not in str(asked(fake)[-1].body["prompt"])


async def test_a_folder_that_is_added_is_judged_as_one_of_the_workspace(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    kept = {"ignore": ["/drafts/"]}
    editor = await launch.editor(settings=_settings(fake.url, privacy=kept))
    draft = (tmp_path / "drafts/a.py").as_uri()
    editor.open("x = ", draft)
    assert text_of(await editor.inline(0, 4, draft)) == "a + b"
    added = types.WorkspaceFoldersChangeEvent(
        added=[types.WorkspaceFolder(tmp_path.as_uri(), "project")], removed=[]
    )
    params = types.DidChangeWorkspaceFoldersParams(added)
    editor.workspace_did_change_workspace_folders(params)
    assert await editor.inline(0, 4, draft) is None


async def test_a_trace_is_switched_on_and_off_while_it_runs(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await launch.stdio(settings=_settings(fake.url), quiet=True)
    editor.open(SIGNATURE)
    command = types.ExecuteCommandParams("cato.server.accepted", ["one"])
    await editor.ask(types.WORKSPACE_EXECUTE_COMMAND, command)
    await change(editor, fake.url, trace="messages", completion={"timeoutMs": "soon"})
    command.arguments = ["two"]
    await editor.ask(types.WORKSPACE_EXECUTE_COMMAND, command)
    assert "accepted: two" in launch.log
    assert "accepted: one" not in launch.log
