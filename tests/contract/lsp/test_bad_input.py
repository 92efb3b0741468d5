"""What no client should send: logged without content, answered, and the state stays right."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams, JsonRpcMethodNotFound

from cato_lab.emulator import Emulator
from tests.contract.lsp.editor import DOCUMENT, Editor, text_of
from tests.contract.lsp.launching import Launcher

SECRET = "never_in_a_log_4711"
SAMPLE = f"def {SECRET}(a, b):\n    return "


@pytest.fixture
async def editor(launch: Launcher, fake: Emulator) -> Editor:
    connected = await launch.stdio(settings={"backend": {"url": fake.url}})
    connected.open(SAMPLE)
    return connected


async def test_all_of_it(editor: Editor, launch: Launcher, fake: Emulator) -> None:
    """One server takes every blow in turn; after each it still completes."""
    for blow in (
        _unknown_method,
        _wrong_params,
        _not_json,
        _no_message,
        _unknown_notification,
        _change_of_an_unopened_document,
        _close_of_an_unopened_document,
        _request_for_an_unopened_document,
        _position_past_the_end,
        _split_surrogates,
        _binary_document,
        _huge_document,
        _version_that_goes_back,
    ):
        await asyncio.wait_for(blow(editor), 30)
        await _still_completes(editor, fake)
    assert not editor.messages
    assert SECRET not in launch.log
    assert launch.log.count("a change for a document that is not open") == 1
    assert launch.log.count("a change whose version does not go up") == 1


async def _still_completes(editor: Editor, fake: Emulator) -> None:
    assert text_of(await editor.inline(1, 11)) == "a + b"
    assert fake.requests[-1].body["prompt"] == SAMPLE


async def _unknown_method(editor: Editor) -> None:
    with pytest.raises(JsonRpcMethodNotFound):
        await editor.ask("cato/makeCoffee", {"code": SECRET})


async def _wrong_params(editor: Editor) -> None:
    params = {"textDocument": {"uri": DOCUMENT}, "position": SECRET}
    for method in ("textDocument/inlineCompletion", "cato/translate"):
        answer = editor.expect("wrong")
        editor.send_together({"id": "wrong", "method": method, "params": params})
        with pytest.raises(JsonRpcInvalidParams):
            await answer
    editor.send_together({"method": "textDocument/didChange", "params": {"text": SECRET}})


async def _not_json(editor: Editor) -> None:
    body = f"{{{SECRET}".encode()
    editor.send_raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


async def _no_message(editor: Editor) -> None:
    for body in (b"[]", b"7", b'"x"', b"{}", b'{"jsonrpc": "2.0"}', b"\xff\xfe"):
        editor.send_raw(b"content-length: %d\r\n\r\n%b" % (len(body), body))


async def _unknown_notification(editor: Editor) -> None:
    editor.send_together({"method": "cato/nothing", "params": {"code": SECRET}})


async def _change_of_an_unopened_document(editor: Editor) -> None:
    for version in (1, 2, 3):
        editor.type(SECRET, 0, 0, version, "file:///project/unopened.py")
    assert await editor.inline(0, 0, "file:///project/unopened.py") is None


async def _close_of_an_unopened_document(editor: Editor) -> None:
    editor.close("file:///project/never.py")


async def _request_for_an_unopened_document(editor: Editor) -> None:
    assert await editor.inline(0, 0, "file:///project/never.py") is None


async def _position_past_the_end(editor: Editor) -> None:
    answer = await editor.inline(9_999, 9_999)
    assert answer is not None
    assert answer.items[0].range == types.Range(types.Position(1, 11), types.Position(1, 11))


async def _split_surrogates(editor: Editor) -> None:
    uri = "file:///project/emoji.py"
    editor.open("s = '\N{PARTY POPPER}'\n", uri)
    editor.type("x", 0, 6, 2, uri)
    editor.send_together(_change(uri, 3, "\ud83c"))
    await editor.inline(1, 0, uri)
    editor.close(uri)


async def _binary_document(editor: Editor) -> None:
    uri = "file:///project/image.py"
    editor.open("\0PNG\x01\x02" * 100, uri)
    editor.type("x", 0, 3, 2, uri)
    await editor.inline(0, 4, uri)
    editor.close(uri)


async def _huge_document(editor: Editor) -> None:
    uri = "file:///project/huge.py"
    editor.open("x = 1\n" * 1_800_000, uri)
    editor.type("y = ", 900_000, 0, 2, uri)
    await editor.inline(900_000, 4, uri)
    editor.close(uri)


async def _version_that_goes_back(editor: Editor) -> None:
    editor.type("x", 1, 11, 0)
    editor.type("y", 1, 12, 0)
    editor.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(0, DOCUMENT),
            [types.TextDocumentContentChangeWholeDocument(SAMPLE)],
        )
    )


def _change(uri: str, version: int, text: str) -> dict[str, Any]:
    here = {"line": 1, "character": 0}
    return {
        "method": "textDocument/didChange",
        "params": {
            "textDocument": {"uri": uri, "version": version},
            "contentChanges": [{"range": {"start": here, "end": here}, "text": text}],
        },
    }


async def test_bytes_that_are_not_lsp_end_the_connection_and_only_that(
    launch: Launcher, fake: Emulator
) -> None:
    address = await launch.listen("tcp")
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
    editor = await launch.connect("tcp", address, settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    assert text_of(await editor.inline(1, 11)) == "a + b"
