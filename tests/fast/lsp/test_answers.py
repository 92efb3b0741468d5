"""What is taken from a stream of chunks, and what its end says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from cato_backend.wire.sse import Event
from cato_lsp.backend.answers import TokenStream
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.backend.streams import EventStream
from cato_lsp.completion.reuse import Token
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
    pieces = TokenStream(stream_of(chunk("a"), chunk(""), chunk("b"), chunk("", finish_reason)))
    assert [tokens async for tokens in pieces] == [[Token("a")], [Token("b")]]
    assert pieces.truncated is truncated


async def test_an_error_in_the_stream_is_raised() -> None:
    pieces = TokenStream(
        stream_of(chunk("a"), {"error": {"message": "no", "code": "replica_failed"}})
    )
    with pytest.raises(BackendFailure, match="no"):
        [tokens async for tokens in pieces]


async def test_an_error_that_is_null_is_none() -> None:
    pieces = TokenStream(stream_of(chunk("a") | {"error": None}))
    assert [tokens async for tokens in pieces] == [[Token("a")]]


def sure(text: str, *tokens: tuple[str, float | None]) -> dict[str, Any]:
    told = {"tokens": [each for each, _ in tokens], "token_logprobs": [p for _, p in tokens]}
    return {"choices": [{"text": text, "finish_reason": None, "logprobs": told}]}


async def test_tokens_come_with_their_log_probabilities() -> None:
    pieces = TokenStream(
        stream_of(
            sure("a b", ("a", -0.5), (" b", None)),
            # A character of two tokens: text comes with the second.
            sure("", ("\ufffd", -0.25)),
            sure("é", ("\ufffd", -0.5)),
            sure("c", ("c", -1.0)),
        )
    )
    assert [tokens async for tokens in pieces] == [
        [Token("a", -0.5), Token(" b", 0.0)],
        [Token("é", -0.75)],
        [Token("c", -1.0)],
    ]


@pytest.mark.parametrize("logprobs", [None, {}, [], {"tokens": None}, {"tokens": ["a"]}, "x"])
async def test_a_server_need_not_tell_them(logprobs: object) -> None:
    odd = {"choices": [{"text": "a", "finish_reason": None, "logprobs": logprobs}]}
    assert [tokens async for tokens in TokenStream(stream_of(odd))] == [[Token("a")]]


def test_neovims_name_for_csharp_is_understood() -> None:
    snapshot = open_document("file:///a.cs", "cs", 0, "class A {}").snapshot()
    assert snapshot.language_id == "csharp"
    assert snapshot.tree is not None
