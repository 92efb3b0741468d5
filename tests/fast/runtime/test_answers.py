"""What a stream has told so far: its tokens, its end, and whether another replica can go on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cato_backend.runtime.answer import Answer, Relayed
from cato_backend.runtime.calls import ApiKind
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.render import can_resume
from cato_backend.wire import sse
from tests.fast.runtime.test_bodies import call

CHAT = call({"messages": [{"role": "user", "content": "x"}], "stream": True}, ApiKind.CHAT)
REASONING, TEXT = {"reasoning": "a"}, {"content": "a"}
TOOL: dict[str, Any] = {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}


def take(answer: Answer, **fields: Any) -> Relayed:
    """One chunk of a single choice."""
    chunk = {"choices": [{"index": 0} | fields], "prompt_token_ids": [1, 2]}
    return answer.take(sse.Event(sse.MESSAGE, json.dumps(chunk), b""))


def done(answer: Answer) -> Relayed:
    return answer.take(sse.Event(sse.MESSAGE, sse.DONE, b""))


@pytest.mark.parametrize(
    ("deltas", "resumable"),
    [
        ([TEXT], True),
        ([REASONING], False),
        ([TEXT, REASONING], False),
        ([REASONING, TEXT], True),
        ([REASONING, TEXT, TOOL], False),
        ([TEXT | REASONING], True),  # The text comes after the reasoning.
        ([{}], False),
        ([TEXT, {}], True),
    ],
)
def test_a_chat_goes_on_elsewhere_only_in_its_text(
    deltas: list[dict[str, Any]], resumable: bool
) -> None:
    """A continuation is plain text: nothing would sort it into reasoning and calls."""
    answer = Answer(CHAT)
    for delta in deltas:
        take(answer, delta=delta, token_ids=[7])
    assert can_resume(CHAT, answer) is resumable


@pytest.mark.parametrize("delta", [TEXT, REASONING, TOOL])
def test_without_ids_each_delta_is_a_token(delta: dict[str, Any]) -> None:
    answer = Answer(CHAT)
    assert take(answer, delta={"role": "assistant", "content": ""})[1:] == (0, 2, None, False)
    assert take(answer, delta=delta)[1:] == (1, None, None, True)
    assert answer.tokens == 1


def test_the_end_counts_only_after_a_reason() -> None:
    answer = Answer(CHAT)
    take(answer, delta=TEXT, finish_reason="")
    with pytest.raises(AttemptBroken, match="without a finish reason"):
        done(answer)
    take(answer, delta={}, finish_reason="stop")
    assert done(answer).data == b"data: [DONE]\n\n"
    assert answer.over


def test_a_continuation_needs_a_reason_of_its_own() -> None:
    answer = Answer(CHAT)
    take(answer, delta=TEXT, token_ids=[7], finish_reason="length")
    answer.resume(by_ids=True)
    assert not answer.over
    with pytest.raises(AttemptBroken):
        done(answer)


def test_what_comes_with_a_failure_is_not_counted() -> None:
    """Another replica goes on behind what was passed on, and that did not hold this piece."""
    answer = Answer(CHAT)
    take(answer, delta=TEXT, token_ids=[7])
    with pytest.raises(AttemptBroken, match="'abort'"):
        take(answer, delta=TEXT, token_ids=[8], finish_reason="abort")
    assert (answer.text, answer.token_ids, answer.tokens) == ("a", [7], 1)
