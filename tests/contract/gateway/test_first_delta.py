"""Nothing is held back: the first delta of any kind opens the stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.gateway.odd import STREAM, Strange
from tests.contract.gateway.site import CHAT, Answer

pytestmark = pytest.mark.asyncio(loop_scope="package")

BODY = {"messages": [{"role": "user", "content": "x"}], "stream": True}
CALL = {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}
DELTAS: list[dict[str, Any]] = [
    {"content": "a"},
    {"reasoning_content": "a"},
    {"reasoning": "a"},
    {"reasoning_details": [{"type": "reasoning.text", "text": "a"}]},
    {"tool_calls": [CALL]},
    {"function_call": {"name": "f", "arguments": ""}},
    {"refusal": "a"},
    {"audio": {"data": "a"}},
    {"content": [{"type": "text", "text": "a"}]},
    {"content": "", "reasoning_content": "a", "role": "assistant"},
    {"content": None, "reasoning_content": None, "tool_calls": [CALL]},
]


def chunk(delta: dict[str, Any] | None, reason: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, **fields}
    return f"data: {json.dumps({'id': '1', 'choices': [choice]})}\n\n".encode()


OPENING = chunk({"role": "assistant", "content": ""})


@pytest.mark.parametrize("delta", DELTAS)
@pytest.mark.parametrize("ids", [{}, {"token_ids": []}, {"token_ids": [7]}])
async def test_a_first_delta_reaches_the_client_at_once(
    strange: Strange, delta: dict[str, Any], ids: dict[str, Any]
) -> None:
    """The replica then falls silent: had the delta been held back, the answer would be a 502."""
    strange.odd.body, strange.odd.hangs = OPENING + chunk(delta, **ids), True
    answer = await strange.site.post(BODY, CHAT)
    assert answer.status == 200
    opening, first, error = answer.chunks
    assert opening["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert first["choices"][0]["delta"] == delta
    assert error["error"]["code"] == "replica_failed"


@pytest.mark.parametrize("delta", [None, {}, {"role": "assistant"}, {"content": None}])
async def test_a_delta_that_shows_nothing_opens_nothing(
    strange: Strange, delta: dict[str, Any] | None
) -> None:
    strange.odd.body, strange.odd.hangs = OPENING + chunk(delta), True
    assert (await strange.site.post(BODY, CHAT)).status == 502


async def test_an_answer_that_shows_nothing_is_whole(strange: Strange) -> None:
    strange.odd.body = OPENING + chunk({}, "stop") + b"data: [DONE]\n\n"
    answer = await strange.site.post(BODY, CHAT)
    assert answer.status == 200
    assert answer.text == ""


@pytest.mark.parametrize("delta", [{"reasoning_content": "a"}, {"tool_calls": [CALL]}])
async def test_it_counts_as_the_first_token(strange: Strange, delta: dict[str, Any]) -> None:
    pause_s = 0.25
    rest = chunk({"content": "b"}, "stop") + b"data: [DONE]\n\n"
    strange.odd.body, strange.odd.later = chunk(delta), ((pause_s, rest),)
    before = await spent(strange)
    assert (await strange.site.post(BODY, CHAT)).status == 200
    assert await spent(strange) - before >= pause_s * 0.9


async def test_text_of_a_completion_too(strange: Strange) -> None:
    event = {"choices": [{"index": 0, "text": "a", "token_ids": [], "finish_reason": None}]}
    strange.odd.body = f"data: {json.dumps(event)}\n\n".encode()
    strange.odd.hangs = True
    answer: Answer = await strange.site.post(STREAM)
    assert answer.status == 200
    assert answer.chunks[0]["choices"][0]["text"] == "a"


async def spent(strange: Strange) -> float:
    """Seconds from first to last tokens, over all answers so far."""
    site = strange.site
    return await site.total("cato_e2e_seconds_sum") - await site.total("cato_ttft_seconds_sum")
