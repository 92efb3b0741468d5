"""Changes as some clients send them: none is lost without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cato_lab.emulator import Emulator
from tests.contract.lsp.raw_client import RawClient, raw_client

URI = "file:///project/sample.py"
SAMPLE = "def add(a, b):\n    return "
FAR = 2**31


@pytest.fixture
async def client(shared_server: tuple[str, int], fake: Emulator) -> AsyncIterator[RawClient]:
    """A client with ghost text and a document."""
    async with raw_client(shared_server) as connected:
        await connected.ask(
            "initialize",
            {
                "processId": None,
                "capabilities": {"textDocument": {"inlineCompletion": {}}},
                "initializationOptions": {"backend": {"url": fake.url}},
            },
        )
        connected.send(method="initialized", params={})
        await connected.state("ready")
        opened(connected)
        yield connected


def opened(client: RawClient, text: str = SAMPLE) -> None:
    item = {"uri": URI, "languageId": "python", "version": 1, "text": text}
    client.send(method="textDocument/didOpen", params={"textDocument": item})


def changed(client: RawClient, *changes: Any, **document: Any) -> None:
    params = {"textDocument": {"uri": URI, "version": 2, **document}, "contentChanges": changes}
    client.send(method="textDocument/didChange", params=params)


def span(start: tuple[Any, Any], end: tuple[Any, Any]) -> dict[str, Any]:
    ends = {"start": start, "end": end}
    return {name: {"line": place[0], "character": place[1]} for name, place in ends.items()}


async def completed(
    client: RawClient, line: int = 1, character: int = 11, trigger: int = 1
) -> str | None:
    answer = await client.ask(
        "textDocument/inlineCompletion",
        {
            "textDocument": {"uri": URI},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": trigger},
        },
    )
    result = answer["result"]
    return result["items"][0]["insertText"] if result else None


def warnings(client: RawClient) -> list[str]:
    shown = (m for m in client.received if m.get("method") == "window/showMessage")
    return [message["params"]["message"] for message in shown]


@pytest.mark.parametrize(
    "change",
    [
        {"range": span((0, 0), (FAR, FAR)), "text": "x = "},
        {"range": span((0, 0), (2**63, 0)), "text": "x = "},
        {"range": span((-1, -5), (1, FAR)), "text": "x = "},
        {"range": span((0.0, 0.0), (9e9, 0.0)), "text": "x = "},
        {"range": None, "text": "x = "},
        {"range": None, "rangeLength": None, "text": "x = "},
        {"range": span((1, 0), (0, 0)), "text": "x = ", "rangeLength": -1},
    ],
)
async def test_a_range_beyond_the_text_is_understood(
    client: RawClient, fake: Emulator, change: dict[str, Any]
) -> None:
    changed(client, change)
    assert await completed(client, 0, 4) == "a + b"
    assert fake.requests[-1].body["prompt"] == "x = "
    assert not warnings(client)


@pytest.mark.parametrize("version", [1, None, 0, -3, FAR, "2", 2.0])
async def test_the_version_does_not_matter(
    client: RawClient, fake: Emulator, version: object
) -> None:
    for text in ("x", "y"):
        changed(client, {"range": span((1, 11), (1, 11)), "text": text}, version=version)
    assert await completed(client, 1, 13, trigger=2) == "a + b"
    assert fake.requests[-1].body["prompt"] == SAMPLE + "yx"


async def test_what_is_shown_is_for_the_text_that_stands_there(
    client: RawClient, fake: Emulator
) -> None:
    """Also where the version never changes: an answer that comes too late is not shown."""
    await fake.change(ttft_ms=60_000)
    client.send(
        id="late",
        method="textDocument/inlineCompletion",
        params={
            "textDocument": {"uri": URI},
            "position": {"line": 1, "character": 11},
            "context": {"triggerKind": 2},
        },
    )
    await fake.wait_until(lambda state: len(state.requests) == 1)
    changed(client, {"range": span((0, 0), (0, 0)), "text": "# new\n"}, version=1)
    answer = await client.until(lambda message: message.get("id") == "late")
    assert answer["result"] is None


@pytest.mark.parametrize(
    "lost",
    [
        {"range": "all", "text": "x"},
        {"range": span((0, 0), (0, 0)), "text": None},
        {"range": {"start": {"line": 0, "character": 0}}, "text": "x"},
        {"range": span(("a", 0), (0, 0)), "text": "x"},
        "x",
    ],
)
@pytest.mark.parametrize("remedy", ["all of the text", "saved", "opened again"])
async def test_a_change_that_cannot_be_read_is_said_and_made_up_for(
    client: RawClient, fake: Emulator, lost: Any, remedy: str
) -> None:
    changed(client, lost)
    changed(client, {"range": span((1, 11), (1, 11)), "text": "z"}, version=3)
    assert await completed(client) is None
    (warning,) = warnings(client)
    assert "sample.py" in warning
    assert "save it" in warning
    assert not fake.requests
    match remedy:
        case "all of the text":
            changed(client, {"text": "x = "}, version=4)
        case "saved":
            params = {"textDocument": {"uri": URI}, "text": "x = "}
            client.send(method="textDocument/didSave", params=params)
        case _:
            client.send(method="textDocument/didClose", params={"textDocument": {"uri": URI}})
            opened(client, "x = ")
    assert await completed(client, 0, 4) == "a + b"
    assert fake.requests[-1].body["prompt"] == "x = "
    assert len(warnings(client)) == 1


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
async def test_engines_get_lf_whatever_the_document_has(
    client: RawClient, fake: Emulator, line_end: str
) -> None:
    changed(client, {"text": SAMPLE.replace("\n", line_end) + line_end})
    assert await completed(client) == "a + b"
    assert fake.requests[-1].body["prompt"] == SAMPLE


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
async def test_typing_along_over_a_line_end_asks_nothing(
    client: RawClient, fake: Emulator, line_end: str
) -> None:
    said = "\n    if a:\n        return b\n    return a\n\n"
    await fake.change(reply=said)
    before = "x = 1\n\n\ndef add(a, b):".replace("\n", line_end)
    changed(client, {"text": before})
    shown = await completed(client, 3, 14, trigger=2)
    assert shown == said.rstrip()
    typed = ""
    for piece in ("\n    ", "i", "f", " a:", "\n        ", "ret"):
        changed(client, {"text": before + (typed + piece).replace("\n", line_end)})
        typed += piece
        line = 3 + typed.count("\n")
        column = len(typed.rpartition("\n")[2])
        assert await completed(client, line, column, trigger=2) == shown.removeprefix(typed)
    assert len(fake.requests) == 1


async def menu(client: RawClient, line: int, character: int) -> dict[str, Any]:
    place = {"textDocument": {"uri": URI}, "position": {"line": line, "character": character}}
    answer = await client.ask("textDocument/completion", {**place, "context": {"triggerKind": 1}})
    (item,) = answer["result"]["items"]
    entry: dict[str, Any] = item
    return entry


async def test_a_menu_along_a_known_suggestion_asks_nothing(
    client: RawClient, fake: Emulator
) -> None:
    await fake.change(reply="first + second\n")
    said = "first + second"
    for typed in range(9):
        item = await menu(client, 1, 11 + typed)
        assert item["textEdit"]["newText"] == said[typed:]
        assert "insertTextMode" not in item
        place = span((1, 11 + typed), (1, 11 + typed))
        changed(client, {"range": place, "text": said[typed]}, version=2 + typed)
    assert len(fake.requests) == 1


async def test_a_client_that_can_be_told_inserts_lines_as_they_are(
    shared_server: tuple[str, int], fake: Emulator
) -> None:
    item = {"insertTextModeSupport": {"valueSet": [1, 2]}}
    capabilities = {"textDocument": {"completion": {"completionItem": item}}}
    async with raw_client(shared_server) as client:
        options = {"backend": {"url": fake.url}}
        await client.ask(
            "initialize",
            {"processId": None, "capabilities": capabilities, "initializationOptions": options},
        )
        client.send(method="initialized", params={})
        await client.state("ready")
        opened(client)
        assert (await menu(client, 1, 11))["insertTextMode"] == 1
