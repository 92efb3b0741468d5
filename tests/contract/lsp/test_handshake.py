"""What is declared, registered and agreed with each kind of client."""

from __future__ import annotations

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator
from tests.contract.lsp.editor import text_of
from tests.contract.lsp.launching import Launcher


@pytest.mark.parametrize(
    ("client", "inline", "menu", "encoding"),
    [
        ("vscode", False, False, "utf-16"),
        ("neovim", True, False, "utf-8"),
        ("minimal", False, True, "utf-16"),
    ],
)
async def test_declares_what_the_client_can_use(
    launch: Launcher, client: str, inline: bool, menu: bool, encoding: str
) -> None:
    editor = await launch.editor(client=client, state=None)
    offered = editor.offered.capabilities
    assert (offered.inline_completion_provider is not None) == inline
    assert (offered.completion_provider is not None) == menu
    assert offered.position_encoding == encoding
    assert offered.execute_command_provider is not None
    assert "cato.server.accepted" in offered.execute_command_provider.commands
    assert editor.offered.server_info is not None
    assert editor.offered.server_info.name == "cato-lsp"


async def test_inline_completion_comes_and_goes_with_the_backend(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    await editor.until(lambda editor: editor.offers_inline_completion)
    await fake.change(listening=False)
    editor.open("def add(a, b):\n    return ")
    assert await editor.inline(1, 11) is None
    await editor.until(lambda editor: editor.state == "unreachable")
    await editor.until(lambda editor: not editor.offers_inline_completion)
    await fake.change(listening=True)
    await editor.until(lambda editor: editor.offers_inline_completion)
    assert text_of(await editor.inline(1, 11)) == "a + b"


async def test_a_client_without_ghost_text_gets_the_menu(launch: Launcher, fake: Emulator) -> None:
    options = {"backend": {"url": fake.url}}
    editor = await launch.editor(client="minimal", options=options)
    editor.open("def add(first, b):\n    return fir")
    await fake.change(reply="st + b\n")
    answer = await editor.text_document_completion_async(
        types.CompletionParams(
            types.TextDocumentIdentifier("file:///project/sample.py"), types.Position(1, 14)
        )
    )
    assert isinstance(answer, types.CompletionList)
    (item,) = answer.items
    assert item.filter_text == "first + b"
    assert isinstance(item.text_edit, types.TextEdit)
    assert item.text_edit.new_text == "st + b"


async def test_switching_completion_off_takes_it_back(launch: Launcher, fake: Emulator) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    await editor.until(lambda editor: editor.offers_inline_completion)
    editor.set_configuration(
        {"backend": {"url": fake.url}, "completion": {"enabled": False}}, section="cato"
    )
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
    await editor.until(lambda editor: editor.state == "disabled")
    await editor.until(lambda editor: not editor.offers_inline_completion)
    editor.open("def add(a, b):\n    return ")
    assert await editor.inline(1, 11) is None
    assert not fake.requests


async def test_a_bad_setting_is_reported_once_and_the_default_holds(
    launch: Launcher, fake: Emulator
) -> None:
    settings = {"backend": {"url": fake.url, "token": "s3cret"}, "completion": {"maxLines": "many"}}
    editor = await launch.stdio(settings=settings)
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
    editor.open("def add(a, b):\n    return ")
    assert text_of(await editor.inline(1, 11)) == "a + b"
    (message,) = editor.messages
    assert "completion.maxLines" in message.message
    assert "s3cret" not in launch.log
