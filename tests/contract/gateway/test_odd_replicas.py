"""Servers that are no vLLM, and answers that are none."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.gateway.odd import SSE, STREAM, WELL, Odd, Strange, event
from tests.contract.gateway.site import CHAT, DONE

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps({"id": "1", "choices": [{"text": "whole"}]}).encode(), "application/json"),
        (b"<html>login</html>", "text/html"),
        (b"", SSE),
        (b"data: {\n\n", SSE),
        (b"data: 7\n\n", SSE),
        (b'data: {"choices": [null]}\n\n', SSE),
        (b'data: {"choices": 7}\n\n', SSE),
        (b'data: {"choices": [], "usage": 7}\n\n', SSE),
        (b'data: {"choices": [{"text": NaN}]}\n\n', SSE),
        (b'data: {"choices": [{"text": "a", "token_ids": 7}]}\n\n', SSE),
        (b'data: {"choices": [{"text": "", "index": [1], "finish_reason": "stop"}]}\n\n', SSE),
        (b'data: {"choices": [{"text": "a"}], "prompt_token_ids": 7}\n\n', SSE),
        (b'data: {"error": {"message": "out of memory"}}\n\ndata: [DONE]\n\n', SSE),
        (b"data: [DONE]\n\n", SSE),
        (b"data: \xff\n\n", SSE),
        (b"data: " + b"x" * 5_000_000, SSE),
    ],
)
async def test_what_is_no_stream_is_a_failure_of_the_replica(
    strange: Strange, body: bytes, content_type: str
) -> None:
    strange.odd.body, strange.odd.content_type = body, content_type
    answer = await strange.site.post(STREAM)
    assert answer.status == 502
    assert answer.error["code"] == "replica_failed"
    assert strange.odd.calls == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b'{"choices": 1, "usage": []}',
        b'{"choices": []}',
        b'{"choices": [null]}',
        b'{"choices": [{"text": "a"',
        b'{"error": "CUDA error"}',
        b'{"error": {"message": "CUDA error"}, "choices": [{"text": "a"}]}',
        b'{"object": "error", "message": "CUDA error", "code": 500}',
        b'{"detail": "CUDA error"}',
        b'{"choices": [{"text": "a", "error": {"message": "CUDA error"}}]}',
        b'{"choices": [{"text": "a", "finish_reason": "abort"}]}',
        b'{"choices": [{"text": "a", "finish_reason": "stop"}, {"finish_reason": "error"}]}',
        b'{"choices": [{"text": "a", "finish_reason": 7}]}',
        b"<html>login</html>",
        WELL,
    ],
)
async def test_what_is_no_answer_is_a_failure_of_the_replica(strange: Strange, body: bytes) -> None:
    strange.odd.body, strange.odd.content_type = body, "application/json"
    answer = await strange.site.post({"prompt": "x"})
    assert answer.status == 502
    assert strange.odd.calls == 1


@pytest.mark.parametrize("fields", [{}, {"finish_reason": None}, {"finish_reason": "eos_token"}])
async def test_an_answer_without_usage_is_one(strange: Strange, fields: dict[str, Any]) -> None:
    strange.odd.body = json.dumps({"choices": [{"text": "a", **fields}], "error": None}).encode()
    answer = await strange.site.post({"prompt": "x"})
    assert (answer.status, answer.body) == (200, strange.odd.body)


@pytest.mark.parametrize("count", [-7, 0, 2**70, 1e300, "many", None, [7], True])
@pytest.mark.parametrize("stream", [False, True])
async def test_counts_that_cannot_be_are_not_believed(
    strange: Strange, count: object, stream: bool
) -> None:
    """The answer is served, and what is learned of the model stays what it was."""
    usage = {
        "prompt_tokens": count,
        "completion_tokens": count,
        "prompt_tokens_details": {"cached_tokens": count},
    }
    chunk = {"choices": [], "usage": usage}
    strange.odd.body = event("a", "stop") + f"data: {json.dumps(chunk)}\n\n".encode()
    if not stream:
        whole = {"choices": [{"text": "a"}], "usage": usage}
        strange.odd.body, strange.odd.content_type = json.dumps(whole).encode(), "application/json"
    answer = await strange.site.post({"prompt": "x" * 3000, "stream": stream})
    assert answer.status == 200
    (model,) = [
        entry["cato"]
        for entry in (await strange.site.call("GET", "/v1/models")).json["data"]
        if entry["id"] == "odd"
    ]
    assert model["chars_per_token"] == 3.0


@pytest.mark.parametrize("gzipped", [False, True])
async def test_a_plain_openai_server_does(strange: Strange, gzipped: bool) -> None:
    strange.odd.body, strange.odd.gzipped = WELL, gzipped
    answer = await strange.site.post(STREAM)
    assert answer.body == WELL


async def test_line_ends_and_comments_of_other_servers(strange: Strange) -> None:
    strange.odd.body = b": ping\r\n\r\n" + WELL.replace(b"\n", b"\r\n")
    assert (await strange.site.post(STREAM)).text == "ab"


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]", b"data: [DONE]\n\n"])
@pytest.mark.parametrize("hangs", [False, True])
async def test_after_the_finish_reason_the_end_comes_soon(
    strange: Strange, tail: bytes, hangs: bool
) -> None:
    """Without a [DONE], without an end of the connection, or without both."""
    strange.odd.body, strange.odd.hangs = event("a") + event("b", "stop") + tail, hangs
    async with asyncio.timeout(5):
        answer = await strange.site.post(STREAM)
    assert answer.text == "ab"
    assert answer.events.count(DONE) == 1
    assert strange.odd.calls == 1


async def test_one_finished_choice_of_two_is_no_end(strange: Strange) -> None:
    strange.odd.body = event("a") + event("b", "stop", index=1)
    answer = await strange.site.post({**STREAM, "n": 2})
    assert answer.chunks[-1]["error"]["code"] == "replica_failed"


@pytest.mark.parametrize("body", [STREAM, {"prompt": "x"}])
async def test_a_replica_that_falls_silent_has_failed(
    strange: Strange, body: dict[str, Any]
) -> None:
    strange.odd.hangs = True
    async with asyncio.timeout(5):
        answer = await strange.site.post(body)
    assert answer.status == 502


async def test_a_chat_of_a_server_without_ids_cannot_be_continued(strange: Strange) -> None:
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": None}
    strange.odd.body = f"data: {json.dumps({'choices': [choice]})}\n\n".encode()
    body = {"messages": [{"role": "user", "content": "x"}], "stream": True}
    answer = await strange.site.post(body, CHAT)
    assert answer.chunks[-1]["error"]["code"] == "replica_failed"
    assert strange.odd.calls == 1


async def test_a_slow_reader_does_not_fill_the_memory(strange: Strange) -> None:
    """60 MB are on their way; the client reads none of them, and the replica is made to wait."""
    strange.odd.body, strange.odd.repeats = event("x" * 100_000), 600
    pid = strange.site.serve.process.pid
    before_kb = resident_kb(pid)
    async with strange.site.opened(STREAM) as response:
        sent = await settled(strange.odd)
        assert 0 < sent < 400
        assert resident_kb(pid) - before_kb < 25_000
        assert (await strange.site.call("GET", "/health")).status == 200
        response.close()


async def settled(odd: Odd) -> int:
    """How often the body was sent when it came no further."""
    sent = -1
    while sent != odd.sent:
        sent = odd.sent
        await asyncio.sleep(0.5)
    return sent


def resident_kb(pid: int) -> int:
    """The process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
