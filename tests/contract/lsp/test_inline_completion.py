"""Ghost text: what is asked, of which version, and that every request is answered once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator
from cato_lsp.decisions.classify import LINE_TOKENS
from tests.contract.lsp.editor import DOCUMENT, text_of
from tests.contract.lsp.launching import Launcher

SAMPLE = "def add(a, b):\n    return "
TRANSPORTS = ("stdio", "tcp", "ws")


async def test_ghost_text_carries_its_place_and_its_request(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    answer = await editor.inline(1, 11)
    assert text_of(answer) == "a + b"
    assert answer is not None
    (item,) = answer.items
    assert item.range == types.Range(types.Position(1, 11), types.Position(1, 11))
    (sent,) = fake.requests
    headers = {name.lower(): value for name, value in sent.headers.items()}
    assert item.command is not None
    assert item.command.arguments == (headers["x-request-id"],)
    assert headers["x-cato-task"] == "completion"
    assert 0 < int(headers["x-slo-ttft-ms"]) < 250
    assert int(headers["x-cato-output-tokens"]) == LINE_TOKENS
    assert "sample.py" not in str(headers)
    assert (
        await editor.ask(
            types.WORKSPACE_EXECUTE_COMMAND,
            types.ExecuteCommandParams(item.command.command, list(item.command.arguments)),
        )
        is None
    )


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_snapshot_is_that_of_the_request_in_a_burst(
    launch: Launcher, fake: Emulator, transport: str
) -> None:
    """didChange, request, didChange in one packet: the prompt is the text between the two."""
    editor = await launch.over(transport, settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    answer = editor.expect("burst", types.InlineCompletionResponse)
    messages = [
        _change("x", 1, 11, version=2),
        _request("burst", 1, 12),
        _change("y", 1, 12, version=3),
    ]
    if transport == "ws":
        for message in messages:
            editor.send_raw(_body(message))
    else:
        editor.send_together(*messages)
    await answer
    assert fake.requests[-1].body["prompt"] == SAMPLE + "x"
    await editor.inline(1, 13)
    assert fake.requests[-1].body["prompt"] == SAMPLE + "xy"


async def test_a_newer_request_answers_the_older_with_null(
    launch: Launcher, fake: Emulator
) -> None:
    await fake.change(ttft_ms=60_000)
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    older = [editor.inline(1, 11, message_id=f"older-{number}") for number in range(5)]
    await fake.wait_until(lambda state: len(state.requests) >= 1)
    await fake.change(ttft_ms=0)
    newest = editor.inline(1, 11, message_id="newest")
    assert [await answer for answer in older] == [None] * 5
    assert text_of(await newest) == "a + b"
    await editor.status()
    answered = {k: v for k, v in editor.protocol.answers.items() if "er-" in str(k)}
    assert answered == {f"older-{number}": 1 for number in range(5)}
    assert not editor.protocol.refusals


async def test_documents_do_not_supersede_each_other(launch: Launcher, fake: Emulator) -> None:
    await fake.change(ttft_ms=50)
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    places = [f"file:///project/{name}.py" for name in "abc"]
    for uri in places:
        editor.open(SAMPLE, uri)
    answers = await asyncio.gather(*(editor.inline(1, 11, uri) for uri in places))
    assert [text_of(answer) for answer in answers] == ["a + b"] * 3


@pytest.mark.parametrize("moment", ["debounce", "before the first token", "in mid-stream"])
async def test_a_cancelled_request_is_answered_and_ended_upstream(
    launch: Launcher, fake: Emulator, moment: str
) -> None:
    await fake.change(
        ttft_ms=60_000 if moment == "before the first token" else 0, itl_ms=60_000, reply="a b c d"
    )
    debounce_ms = 2000 if moment == "debounce" else 0
    settings = {"backend": {"url": fake.url}, "completion": fixed(debounce_ms)}
    editor = await launch.editor(settings=settings)
    editor.open(SAMPLE)
    answer = editor.inline(1, 11, automatic=True, message_id="gone")
    if moment != "debounce":
        await fake.wait_until(lambda state: len(state.requests) == 1)
    editor.cancel("gone")
    assert await answer is None
    if moment == "debounce":
        assert not fake.requests
    else:
        await fake.wait_until(lambda state: state.aborted == 1)
    await editor.status()
    assert editor.protocol.answers["gone"] == 1


async def test_typing_on_ends_what_was_asked_before(launch: Launcher, fake: Emulator) -> None:
    await fake.change(ttft_ms=60_000)
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    first = editor.inline(1, 11)
    await fake.wait_until(lambda state: len(state.requests) == 1)
    editor.close()
    assert await first is None
    await fake.wait_until(lambda state: state.aborted == 1)


async def test_only_automatic_requests_wait_for_the_person_to_pause(
    launch: Launcher, fake: Emulator
) -> None:
    settings = {"backend": {"url": fake.url}, "completion": fixed(2000)}
    editor = await launch.editor(settings=settings)
    editor.open(SAMPLE)
    editor.open(SAMPLE, "file:///project/other.py")
    waiting = editor.inline(1, 11, automatic=True, message_id="waiting")
    assert text_of(await editor.inline(1, 11, "file:///project/other.py")) == "a + b"
    assert not waiting.done()
    assert len(fake.requests) == 1
    editor.cancel("waiting")
    await waiting


async def test_the_stream_is_ended_when_there_is_enough(launch: Launcher, fake: Emulator) -> None:
    await fake.change(reply="a + b\n\n\ndef other():\n" + "    x = 1\n" * 500, itl_ms=5)
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    assert text_of(await editor.inline(1, 11)) == "a + b"
    await fake.wait_until(lambda state: state.aborted == 1)


async def test_positions_are_counted_as_agreed(launch: Launcher, fake: Emulator) -> None:
    text = "s = '\N{PARTY POPPER}'; t = "
    for client, units in (("vscode", len(text) + 1), ("neovim", len(text.encode()))):
        editor = await launch.editor(
            client=client,
            settings={"backend": {"url": fake.url}},
            options={"backend": {"url": fake.url}},
        )
        editor.open(text)
        answer = await editor.inline(0, units)
        assert fake.requests[-1].body["prompt"] == text
        assert answer is not None
        assert answer.items[0].range == types.Range(
            types.Position(0, units), types.Position(0, units)
        )


def fixed(debounce_ms: int) -> dict[str, Any]:
    """A debounce that is as long as it says."""
    return {"debounceMs": debounce_ms, "adaptiveDebounce": False}


def _body(message: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


def _change(text: str, line: int, character: int, *, version: int) -> dict[str, Any]:
    here = {"line": line, "character": character}
    return {
        "method": "textDocument/didChange",
        "params": {
            "textDocument": {"uri": DOCUMENT, "version": version},
            "contentChanges": [{"range": {"start": here, "end": here}, "text": text}],
        },
    }


def _request(message_id: str, line: int, character: int) -> dict[str, Any]:
    return {
        "id": message_id,
        "method": "textDocument/inlineCompletion",
        "params": {
            "textDocument": {"uri": DOCUMENT},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": 1},
        },
    }
