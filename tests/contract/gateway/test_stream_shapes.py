"""Streams as different servers write them: what is a whole answer, and what is a cut one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.gateway.odd import STREAM, WELL, Strange, event
from tests.contract.gateway.site import DONE, Site
from tests.contract.gateway.test_cut_answers import outcomes

pytestmark = pytest.mark.asyncio(loop_scope="package")

END = b"data: [DONE]\n\n"
A, B = event("a"), event("b", "stop")


def data(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def choice(**fields: Any) -> bytes:
    return data({"choices": [{"index": 0, "text": "", "finish_reason": None} | fields]})


def pretty(value: bytes) -> bytes:
    """One event's JSON over several lines of data."""
    text = json.dumps(json.loads(value.removeprefix(b"data: ")), indent=1)
    return b"".join(b"data: %b\n" % line.encode() for line in text.split("\n")) + b"\n"


WHOLE = {
    "plain": WELL,
    "CRLF": WELL.replace(b"\n", b"\r\n"),
    "CR": WELL.replace(b"\n", b"\r"),
    "mixed line ends": A + B.replace(b"\n", b"\r\n") + END.replace(b"\n", b"\r"),
    "byte order mark": b"\xef\xbb\xbf" + WELL,
    "no space": WELL.replace(b"data: ", b"data:"),
    "comments": b": OPENROUTER PROCESSING\n\n" + A + b": ping\n\n:\n" + B + END,
    "fields": b"retry: 3000\n\nid: 1\nevent: completion\n" + A + b"id: 2\n" + B + b"id: 3\n" + END,
    "several lines of data": pretty(A) + pretty(B) + END,
    "blank lines": b"\n\n" + A + b"\n\n\n" + B + END,
    "empty data": b"data:\n\n" + A + b"data: \n\n" + B + END,
    "no end": A + B,
    "an end without a blank line": A + B + b"data: [DONE]",
    "an end with a space": A + B + b"data: [DONE] \n\n",
    "a last chunk without a blank line": A + B.rstrip(),
    "reasons that are empty": event("a", "") + B + END,
    "a reason of TGI's": A + event("b", "eos_token") + END,
    "a content filter": A + event("b", "content_filter") + END,
    "usage": A + B + data({"choices": [], "usage": {"prompt_tokens": 3}}) + END,
    "usage without choices": A + B + data({"usage": {"prompt_tokens": 3}}) + END,
    "choices that are null": data({"choices": None}) + A + B + END,
    "errors that are null": data({"error": None, "choices": []}) + A + B + END,
    "keep-alives": data({}) + A + data({"type": "ping"}) + B + END,
    "named keep-alives": b"event: ping\n" + data({"message": "alive"}) + A + B + END,
    "an error after the reason": A + B + data({"error": {"message": "late"}}) + END,
    "more after the end": WELL + A + data({"error": "late"}),
}
ERROR = {"message": "CUDA error", "type": "internal_error", "code": 500}
CUT = {
    "OpenAI's": data({"error": ERROR}),
    "an error that is text": data({"error": "CUDA error"}),
    "an error that is empty": data({"error": {}}),
    "vLLM's before 0.11": data({"object": "error", **ERROR, "param": None}),
    "an object of type error": data({"type": "error", "reason": "CUDA error"}),
    "FastAPI's": data({"detail": "CUDA error"}),
    "FastAPI's list": data({"detail": [{"loc": ["body"], "msg": "CUDA error"}]}),
    "message and code": data({"message": "CUDA error", "code": "internal"}),
    "FastChat's": data({"text": "CUDA error", "error_code": 50002}),
    "a status": data({"status": 503}),
    "a status in words": data({"status": "failed"}),
    "a list of errors": data({"errors": [ERROR]}),
    "null choices": data({"object": "error", "message": "CUDA error", "choices": None}),
    "beside choices": data({"error": ERROR, "choices": [{"index": 0, "text": ""}]}),
    "in a choice": choice(error=ERROR),
    "a named event": b"event: error\n" + data({"error": ERROR}),
    "a named event of another shape": b"event: error\n" + data({"what": "CUDA error"}),
    "a named event of text": b"event: error\ndata: CUDA error\n\n",
    "a named event without data": b"event: error\n\n",
    "another name": b"event: exception\n" + data({"what": "CUDA error"}),
    "llama.cpp's": b"error: " + json.dumps(ERROR).encode() + b"\n\n",
    "text": b"data: Internal Server Error\n\n",
    "a string": b'data: "Internal Server Error"\n\n',
    "a number": b"data: 500\n\n",
    "an unfinished event": b'data: {"choices": [{"ind',
    "nothing": b"",
    "choices of null": data({"choices": [None]}),
    "a reason that is no text": choice(finish_reason=7),
    **{
        f"the reason {reason}": choice(finish_reason=reason)
        for reason in ("error", "abort", "aborted", "cancelled", "canceled", "timeout", "failed",
                       "ERROR", "insufficient_system_resource", "server_shutdown")
    },
}  # fmt: skip


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE.keys())
async def test_a_whole_answer(strange: Strange, body: bytes) -> None:
    strange.odd.body = body
    answer = await strange.site.post(STREAM)
    assert answer.status == 200
    assert answer.text == "ab"
    assert answer.events.count(DONE) == 1
    assert not any("error" in chunk for chunk in answer.chunks)


@pytest.mark.parametrize("shape", ["CR", "CRLF", "byte order mark", "fields", "no space"])
async def test_a_whole_answer_byte_by_byte(strange: Strange, shape: str) -> None:
    strange.odd.later = tuple((0.0, bytes([byte])) for byte in WHOLE[shape])
    assert (await strange.site.post(STREAM)).text == "ab"


@pytest.mark.parametrize("end", [END, b""])
@pytest.mark.parametrize("error", CUT.values(), ids=CUT.keys())
async def test_a_cut_answer_ends_with_a_named_error(
    strange: Strange, error: bytes, end: bytes
) -> None:
    strange.odd.body = A + error + end
    before = await failures(strange.site)
    answer = await strange.site.post(STREAM)
    assert answer.status == 200
    first, last = answer.chunks  # [DONE] follows them.
    assert first["choices"][0]["text"] == "a"
    assert last["error"]["code"] == "replica_failed"
    assert await failures(strange.site) == before + 1


@pytest.mark.parametrize("error", CUT.values(), ids=CUT.keys())
async def test_before_the_first_token_it_is_a_status(strange: Strange, error: bytes) -> None:
    strange.odd.body = error + END
    answer = await strange.site.post(STREAM)
    assert answer.status == 502
    assert answer.error["code"] == "replica_failed"


async def test_a_reset_connection_is_a_cut(strange: Strange) -> None:
    strange.odd.body, strange.odd.cut = A, True
    assert (await strange.site.post(STREAM)).chunks[-1]["error"]["code"] == "replica_failed"


async def test_a_connection_that_is_reset_after_the_reason_cuts_nothing(strange: Strange) -> None:
    strange.odd.body, strange.odd.cut = A + B, True
    assert (await strange.site.post(STREAM)).text == "ab"


@pytest.mark.parametrize(("body", "last"), [(WELL, END), (A + B, B)], ids=["end", "reason"])
async def test_a_client_that_leaves_with_the_whole_answer_has_not_cancelled_it(
    strange: Strange, body: bytes, last: bytes
) -> None:
    strange.odd.body, strange.odd.hangs = body, True
    before = await outcomes(strange.site)
    async with strange.site.opened(STREAM) as response:
        while await response.content.readline() != last[:-1]:
            pass
        response.close()
    await strange.site.wait_idle()
    after = await outcomes(strange.site)
    assert sum(after.values()) == sum(before.values()) + 1
    assert after.get("cancelled") == before.get("cancelled")


async def test_a_choice_that_was_not_given_is_not_missed(strange: Strange) -> None:
    """Some servers ignore `n`."""
    strange.odd.body = WELL
    assert (await strange.site.post({**STREAM, "n": 2})).text == "ab"


async def test_usage_may_come_seconds_later(strange: Strange) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    strange.odd.body = A + B
    usage_chunk = data({"choices": [], "usage": usage})
    strange.odd.later = (*((0.2, b": alive\n\n"),) * 12, (0.2, usage_chunk), (0.2, END))
    answer = await strange.site.post({**STREAM, "stream_options": {"include_usage": True}})
    assert answer.text == "ab"
    assert answer.chunks[-1]["usage"] == usage


async def test_comments_may_come_for_long_before_the_first_token(strange: Strange) -> None:
    """Longer than `silence_s`; a queue at the replica is not silence."""
    strange.odd.later = (*((0.1, b": waiting\n\n"),) * 10, (0.1, WELL))
    assert (await strange.site.post(STREAM)).text == "ab"


@pytest.mark.parametrize(
    "keep_alive", [b": alive\n\n", b"data:\n\n", data({"type": "ping"}), choice()]
)
async def test_keep_alives_alone_are_no_answer(strange: Strange, keep_alive: bytes) -> None:
    """After the first token they do not stand for the next one for ever."""
    strange.odd.body, strange.odd.later, strange.odd.hangs = A, ((0.1, keep_alive),) * 20, True
    answer = await strange.site.post(STREAM)
    assert answer.chunks[-1]["error"]["code"] == "replica_failed"


async def failures(site: Site) -> float:
    """Requests that ended because of their replica."""
    return sum(
        value
        for (name, labels), value in (await site.metrics()).items()
        if name == "cato_requests_total" and "replica_failed" in labels
    )
