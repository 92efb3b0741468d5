"""Which actions are offered where it would take long to find them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from lsprotocol import types

from cato_backend.wire.tasks import TaskKind
from cato_lsp.backend.models import Model
from cato_lsp.features.task_offers import code_actions
from cato_lsp.syntax import open_document
from cato_lsp.text import Encoding, Snapshot

URI = "file:///x.py"
TEXT = "# add two numbers\ndef add(a, b):\n    return a + b\n"
MODEL = Model(
    "cato",
    fills_in_the_middle=True,
    cancels=True,
    tasks=frozenset(kind.slo_class for kind in TaskKind),
    whole_tasks=frozenset(TaskKind),
)


def connection_with(snapshot: Snapshot) -> Any:
    """A connection with one document, whose model does every task."""
    client = SimpleNamespace(target=SimpleNamespace(url="http://127.0.0.1:9"))
    session = SimpleNamespace(
        documents=SimpleNamespace(snapshot=lambda _uri: snapshot, encoding=Encoding.UTF16),
        link=SimpleNamespace(connection=SimpleNamespace(client=client, model=MODEL)),
        permissions=SimpleNamespace(allows=lambda _uri: True),
        requests=SimpleNamespace(start=lambda _id, answer: asyncio.ensure_future(answer)),
    )
    return SimpleNamespace(session=session)


async def titles(snapshot: Snapshot) -> list[str]:
    place = types.Position(0, 4)
    params = types.CodeActionParams(
        types.TextDocumentIdentifier(URI),
        types.Range(place, place),
        types.CodeActionContext(diagnostics=[]),
    )
    actions = await code_actions(connection_with(snapshot), 1, params)
    return [action.title for action in actions]


async def test_a_tree_of_an_older_text_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = open_document(URI, "python", 1, TEXT).snapshot()
    assert "CATO: Document add" in await titles(snapshot)

    def parsed(_snapshot: Snapshot) -> Snapshot:
        raise AssertionError("parsed again")

    monkeypatch.setattr("cato_lsp.syntax.units.settled", parsed)
    monkeypatch.setattr("cato_lsp.syntax.parts.settled", parsed)
    offered = await titles(replace(snapshot, settled=False))
    assert offered == ["CATO: Generate what the comment says"]


async def test_the_definitions_of_a_very_long_file_are_not_counted() -> None:
    whole = "CATO: Document all functions and classes"
    assert whole in await titles(open_document(URI, "python", 1, TEXT).snapshot())
    longer = TEXT + "x = 1\n" * 40_000
    assert whole not in await titles(open_document(URI, "python", 1, longer).snapshot())
