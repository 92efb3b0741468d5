"""Clients that leave something out, say more than is known here, or are gone: the server works."""

from __future__ import annotations

import sys
from asyncio.subprocess import create_subprocess_exec
from collections.abc import AsyncIterator
from typing import Any

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator
from tests.contract.lsp.launching import Launcher
from tests.contract.lsp.raw_client import RawClient, raw_client

URI = "file:///project/sample.py"
SAMPLE = "def add(a, b):\n    return "
INLINE = {"textDocument": {"inlineCompletion": {}}}


@pytest.fixture
async def client(shared_server: tuple[str, int]) -> AsyncIterator[RawClient]:
    async with raw_client(shared_server) as connected:
        yield connected


def options(fake: Emulator) -> dict[str, Any]:
    return {"backend": {"url": fake.url}}


async def initialized(client: RawClient, fake: Emulator, **params: Any) -> dict[str, Any]:
    named = {"processId": None, "rootUri": None, "capabilities": INLINE}
    answer = await client.ask(
        "initialize", {**named, "initializationOptions": options(fake), **params}
    )
    assert "error" not in answer
    client.send(method="initialized", params={})
    return answer


def opened(client: RawClient, uri: str = URI) -> None:
    item = {"uri": uri, "languageId": "python", "version": 1, "text": SAMPLE}
    client.send(method="textDocument/didOpen", params={"textDocument": item})


async def completes(client: RawClient, uri: str = URI) -> None:
    opened(client, uri)
    place = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 11}}
    answer = await client.ask(
        "textDocument/inlineCompletion", {**place, "context": {"triggerKind": 1}}
    )
    assert answer["result"]["items"][0]["insertText"] == "a + b"


@pytest.mark.parametrize("how", ["never", "without params", "null params"])
async def test_initialized_may_be_left_out(client: RawClient, fake: Emulator, how: str) -> None:
    await client.ask(
        "initialize",
        {"capabilities": INLINE, "initializationOptions": options(fake), "processId": None},
    )
    if how != "never":
        client.send(method="initialized", **({"params": None} if how == "null params" else {}))
    else:
        opened(client)
    await client.state("ready")
    await completes(client)


@pytest.mark.parametrize(
    "params",
    [
        {"trace": "compact"},
        {"trace": 7},
        {"clientInfo": {"version": "1"}},
        {"clientInfo": "an editor"},
        {"workspaceFolders": "none"},
        {"processId": "12"},
        {"rootPath": "/work"},
        {"capabilities": {**INLINE, "general": {"positionEncodings": ["utf-7", "utf-16"]}}},
        {"capabilities": {**INLINE, "general": {"positionEncodings": "utf-16"}}},
        {
            "capabilities": {
                "textDocument": {
                    **INLINE["textDocument"],
                    "completion": {
                        "completionItemKind": {"valueSet": [1, 99, "new"]},
                        "completionItem": {
                            "tagSupport": {"valueSet": [1, 99]},
                            "insertTextModeSupport": {"valueSet": [1, 99]},
                        },
                    },
                    "codeAction": {"codeActionLiteralSupport": None},
                    "foldingRange": {"foldingRangeKind": {"valueSet": ["new"]}},
                    "semanticTokens": {"formats": ["new"], "requests": 7},
                },
                "workspace": {
                    "workspaceEdit": {"failureHandling": "new", "resourceOperations": ["new"]},
                    "symbol": {"symbolKind": {"valueSet": [1, 999]}},
                },
                "window": None,
                "experimental": [1],
            }
        },
    ],
)
async def test_what_is_not_known_here_does_no_harm(
    client: RawClient, fake: Emulator, params: dict[str, Any]
) -> None:
    answer = await initialized(client, fake, **params)
    assert "inlineCompletionProvider" in answer["result"]["capabilities"]
    await client.state("ready")
    await completes(client)


async def test_requests_at_the_wrong_time_are_refused(client: RawClient, fake: Emulator) -> None:
    early = await client.ask("cato/status", {})
    assert early["error"]["code"] == types.ErrorCodes.ServerNotInitialized == -32002
    await initialized(client, fake)
    again = await client.ask("initialize", {"capabilities": {}, "processId": None})
    assert again["error"]["code"] == -32600
    assert (await client.ask("shutdown"))["result"] is None
    for method in ("cato/status", "textDocument/inlineCompletion", "shutdown", "initialize"):
        late = await client.ask(method, {})
        assert late["error"]["code"] == types.ErrorCodes.InvalidRequest == -32600
    client.send(method="exit", params={})
    await client.ended()


@pytest.mark.parametrize(
    ("body", "message_id", "code"),
    [
        (b"{no json", None, types.ErrorCodes.ParseError),
        (b"\xff\xfe", None, types.ErrorCodes.ParseError),
        (b"", None, types.ErrorCodes.ParseError),
        (b"5", None, types.ErrorCodes.InvalidRequest),
        (b"null", None, types.ErrorCodes.InvalidRequest),
        (b"{}", None, types.ErrorCodes.InvalidRequest),
        (b'{"id": 7}', 7, types.ErrorCodes.InvalidRequest),
        (b'{"id": 7, "method": 5}', 7, types.ErrorCodes.InvalidRequest),
        (b'{"id": {}, "method": "cato/status"}', None, types.ErrorCodes.InvalidRequest),
    ],
)
async def test_what_is_no_message_is_answered_as_json_rpc_has_it(
    client: RawClient, fake: Emulator, body: bytes, message_id: int | None, code: int
) -> None:
    await initialized(client, fake)
    client.send_body(body)
    answer = await client.until(lambda message: "error" in message)
    assert (answer["id"], answer["error"]["code"]) == (message_id, code)
    assert "data" not in answer["error"]
    assert "result" in await client.ask("cato/status", {})


async def test_messages_of_a_batch_and_without_a_version_are_answered(
    client: RawClient, fake: Emulator
) -> None:
    await initialized(client, fake)
    request = '{"id": "%s", "method": "cato/status", "params": {}}'
    client.send_body(f"[{request % 'one'}, {request % 'two'}]".encode())
    for message_id in ("one", "two"):
        answer = await client.until(lambda message, i=message_id: message.get("id") == i)
        assert "result" in answer


async def test_blank_lines_in_front_of_a_message_are_skipped(
    client: RawClient, fake: Emulator
) -> None:
    await initialized(client, fake)
    client.send_body(b'{"id": "late", "method": "cato/status"}', before=b"\r\n\n")
    assert "result" in await client.until(lambda message: message.get("id") == "late")


@pytest.mark.parametrize("uri", ["http://[::1/a.py", f"file:///{'long/' * 2000}a.py"])
async def test_a_uri_that_names_nothing_is_a_document_all_the_same(
    client: RawClient, fake: Emulator, uri: str
) -> None:
    await initialized(client, fake)
    await client.state("ready")
    await completes(client, uri)


async def test_progress_that_is_never_created_holds_nothing_up(
    client: RawClient, fake: Emulator
) -> None:
    capabilities = {**INLINE, "window": {"workDoneProgress": True}}
    await initialized(client, fake, capabilities=capabilities)
    await client.state("ready")
    opened(client)
    arguments = [URI, {"line": 1, "character": 4}]
    command = {"command": "cato.server.summarize", "arguments": arguments}
    answer = await client.ask("workspace/executeCommand", command)
    assert any("workDoneProgress" in message.get("method", "") for message in client.received)
    assert "outcome" in answer["result"]


async def test_configuration_that_is_never_given_holds_nothing_up(
    client: RawClient, fake: Emulator
) -> None:
    capabilities = {**INLINE, "workspace": {"configuration": True}}
    await initialized(client, fake, capabilities=capabilities)
    await client.state("ready")
    await completes(client)


@pytest.mark.skipif(sys.platform == "win32", reason="another process cannot be looked at there")
async def test_the_server_ends_with_the_process_of_its_client(
    client: RawClient, fake: Emulator, launch: Launcher
) -> None:
    editor = await create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
    await initialized(client, fake, processId=editor.pid)
    assert (await client.ask("cato/status"))["result"]
    editor.kill()
    await editor.wait()
    await client.ended()


async def test_a_process_that_is_not_on_this_machine_ends_nothing(
    client: RawClient, fake: Emulator
) -> None:
    gone = await create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    await initialized(client, fake, processId=gone.pid)
    await client.state("ready")
    await completes(client)
