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


def opened(client: RawClient) -> None:
    item = {"uri": URI, "languageId": "python", "version": 1, "text": SAMPLE}
    client.send(method="textDocument/didOpen", params={"textDocument": item})


async def completes(client: RawClient) -> None:
    opened(client)
    place = {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 11}}
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
