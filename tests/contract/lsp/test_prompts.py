"""What goes into a prompt, what is warmed, and what is never sent to a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator, RecordedRequest
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.editor import DOCUMENT, Editor, text_of
from tests.contract.lsp.launching import Launcher

SHOP = "def price_of(basket: list[int]) -> int:\n    return sum(basket)\n"
MAIN = "from shop import price_of\n\ntotal = "


def notify(editor: Editor, method: str, params: dict[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()
    editor.send_raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def holds_main(sent: RecordedRequest) -> bool:
    return MAIN in str(sent.body["prompt"])


async def test_a_document_is_warmed_and_its_imports_come_along(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    main = (tmp_path / "main.py").as_uri()
    async with gateway(fake, tmp_path) as url:
        editor = await launch.editor(settings={"backend": {"url": url}})
        editor.open(MAIN, main)
        place = {"textDocument": {"uri": main}, "position": {"line": 2, "character": 8}}
        notify(editor, "textDocument/didFocus", place)
        await fake.wait_until(lambda state: any(holds_main(sent) for sent in state.requests))
        sent = next(sent for sent in fake.requests if holds_main(sent))
        warmed = str(sent.body["prompt"])
        assert sent.body["max_tokens"] == 1
        assert text_of(await editor.inline(2, 8, main)) == "a + b"
        prompt = str(asked(fake)[-1].body["prompt"])
    head, _, _ = warmed.partition(MAIN)
    assert "def price_of(basket: list[int]) -> int:" in head
    assert "return sum" not in head
    # The context stays what it was: the prompt begins as the one that was warmed.
    assert prompt.startswith(head + MAIN)


async def test_a_backend_that_cannot_warm_is_not_asked_to(launch: Launcher, fake: Emulator) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(MAIN)
    assert text_of(await editor.inline(2, 8)) == "a + b"
    (asked,) = fake.requests
    assert "cato" not in asked.body
    assert "stream_options" not in asked.body


async def test_secrets_are_never_read_to_a_model(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    settings = {"backend": {"url": fake.url}, "privacy": {"ignore": ["*.sql"]}}
    editor = await launch.editor(settings=settings)
    secret = f"{tmp_path}/.env"
    others = ("untitled:.env", f"git:{secret}?%7B%7D", "vscode-remote://ssh-remote%2Bh/home/.env")
    files = [(tmp_path / name).as_uri() for name in (".env", "dump.sql")]
    for uri in (*files, *others, "vscode-vfs://github/o/r/.env", "scp://h//.env", "sftp://h/a.pem"):
        editor.open("KEY=", uri, "plaintext")
        assert await editor.inline(0, 4, uri) is None
    assert not fake.requests
    allowed = (tmp_path / "a.py").as_uri()
    editor.open("x = ", allowed)
    assert text_of(await editor.inline(0, 4, allowed)) == "a + b"


async def test_who_asks_again_gets_further_candidates(launch: Launcher, fake: Emulator) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(MAIN)
    assert text_of(await editor.inline(2, 8, automatic=True)) == "a + b"
    await fake.change(reply="c + d\n")
    answer = await editor.inline(2, 8)
    assert answer is not None
    assert [item.insert_text for item in answer.items] == ["a + b", "c + d"]
    assert [request.body["temperature"] > 0 for request in fake.requests] == [False, True, True]


@pytest.mark.parametrize(("entry", "shown"), [("total_price", "total_price + b"), ("tax", None)])
async def test_beside_a_menu_only_what_goes_on_from_its_entry_is_shown(
    launch: Launcher, fake: Emulator, entry: str, shown: str | None
) -> None:
    await fake.change(reply="al_price + b\n")
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open("x = tot")
    word = types.Range(types.Position(0, 4), types.Position(0, 7))
    params = types.InlineCompletionParams(
        context=types.InlineCompletionContext(
            types.InlineCompletionTriggerKind.Automatic, types.SelectedCompletionInfo(word, entry)
        ),
        text_document=types.TextDocumentIdentifier(DOCUMENT),
        position=types.Position(0, 7),
    )
    answer = await editor.ask(types.TEXT_DOCUMENT_INLINE_COMPLETION, params)
    assert text_of(answer) == shown
    assert answer is None or answer.items[0].range == word


async def test_behind_an_accepted_suggestion_the_next_one_is_ready(
    launch: Launcher, fake: Emulator
) -> None:
    await fake.change(document=MAIN + "price_of([1])\nprint(total)\nprint(2)\n")
    editor = await launch.stdio(settings={"backend": {"url": fake.url}})
    editor.open(MAIN)
    answer = await editor.inline(2, 8, automatic=True)
    assert text_of(answer) == "price_of([1])"
    assert answer is not None
    item = answer.items[0]
    notify(editor, "textDocument/didShowCompletion", {"item": {"insertText": "", "command": {
        "title": "", "command": "x", "arguments": [*(item.command.arguments or ())]}}})  # fmt: skip
    editor.type("price_of([1])", 2, 8, 2)
    params = types.ExecuteCommandParams(item.command.command, item.command.arguments)
    await editor.ask(types.WORKSPACE_EXECUTE_COMMAND, params)
    await fake.wait_until(lambda state: len(state.requests) == 2 and state.running == 0)
    editor.type("\n", 2, 21, 3)
    assert text_of(await editor.inline(3, 0, automatic=True)) == "print(total)\nprint(2)"
    assert len(fake.requests) == 2
    await editor.shutdown_session()
    editor.capabilities = None
    stored = _history(launch)
    assert [event["event"] for event in stored if "request_id" in event][:2] == [
        "shown",
        "accepted",
    ]
    assert "price_of" not in json.dumps(stored)


def _history(launch: Launcher) -> list[dict[str, Any]]:
    (path,) = launch.folder.rglob("history.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]
