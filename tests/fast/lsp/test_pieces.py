"""What is taken from a stream of chunks, and what its end says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from cato_backend.wire.sse import Event
from cato_lsp.backend.completions import Pieces
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.backend.streams import EventStream
from cato_lsp.syntax import open_document


def stream_of(*chunks: dict[str, Any]) -> EventStream:
    async def events() -> AsyncIterator[Event]:
        for chunk in chunks:
            yield Event("message", json.dumps(chunk), b"")

    return cast(EventStream, events())


def chunk(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"text": text, "finish_reason": finish_reason}]}


@pytest.mark.parametrize(("finish_reason", "truncated"), [("length", True), ("stop", False)])
async def test_an_answer_that_hit_its_limit_is_truncated(
    finish_reason: str, truncated: bool
) -> None:
    pieces = Pieces(stream_of(chunk("a"), chunk(""), chunk("b"), chunk("", finish_reason)))
    assert [text async for text in pieces] == ["a", "b"]
    assert pieces.truncated is truncated


async def test_an_error_in_the_stream_is_raised() -> None:
    pieces = Pieces(stream_of(chunk("a"), {"error": {"message": "no", "code": "replica_failed"}}))
    with pytest.raises(BackendFailure, match="no"):
        [text async for text in pieces]


def test_neovims_name_for_csharp_is_understood() -> None:
    snapshot = open_document("file:///a.cs", "cs", 0, "class A {}").snapshot()
    assert snapshot.language_id == "csharp"
    assert snapshot.tree is not None
