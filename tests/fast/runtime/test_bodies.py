"""What the scheduler is told of a prompt, and what the replica is told by the scheduler."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.prediction.online import CharsPerToken
from cato_backend.requests import BLOCK_CHARS, Request, Target, prompt_blocks
from cato_backend.runtime.answer import Answer
from cato_backend.runtime.calls import ApiKind, Call, Infill
from cato_backend.runtime.facts import Endpoint, ModelFacts, UpstreamRoute
from cato_backend.runtime.render import prompt_text, render, rendered_infill
from cato_backend.tasks.detection import Detection
from cato_backend.tasks.families import FORMATS
from cato_backend.wire import sse
from cato_backend.wire.headers import Task

FACTS = ModelFacts("m", 4096, Detection(FORMATS[0], ""))
PROMPT = {"prompt": "def add(a, b):"}


def call(
    body: dict[str, Any], kind: ApiKind = ApiKind.COMPLETION, infill: Infill | None = None
) -> Call:
    request = Request("r", Task.GENERATION, "m", 0.0, Target(ttft_s=1.0), 10, 16)
    return Call(request, kind, body, infill)


def leg(priority: int, takes_priority: bool) -> UpstreamRoute:
    endpoint = Endpoint("replica-1", "http://x", "m", takes_priority=takes_priority)
    return UpstreamRoute(endpoint, FACTS, CharsPerToken(), priority)


@given(st.text(max_size=4 * BLOCK_CHARS), st.text(max_size=600), st.text(max_size=600))
def test_prompts_share_the_blocks_of_their_common_head(head: str, one: str, other: str) -> None:
    ours, theirs = prompt_blocks(head + one), prompt_blocks(head + other)
    pairs = enumerate(zip(head + one, head + other, strict=False))
    shorter = min(len(head + one), len(head + other))
    common = next((i for i, (a, b) in pairs if a != b), shorter) // BLOCK_CHARS
    assert ours[:common] == theirs[:common]
    assert all(a != b for a, b in zip(ours[common:], theirs[common:], strict=False))
    assert len(ours) == len(head + one) // BLOCK_CHARS


def test_blocks_are_the_same_in_every_process() -> None:
    assert prompt_blocks("x" * 2 * BLOCK_CHARS) == (1391802645058184599, 4021434488797476591)


def test_the_indexed_text_is_what_the_replica_reads() -> None:
    """Also where more was learned of the tokenizer meanwhile."""
    infill = Infill("def f(x):\n" * 400, "\n    return x\n")
    small = replace(FACTS, max_model_len=256)
    indexed = rendered_infill(infill, 16, small, CharsPerToken())
    learned = CharsPerToken()
    for _ in range(200):
        learned.observe(600, 100)
    asked = replace(call({"prompt": ""}, infill=infill), rendered=indexed)
    sent = render(asked, replace(leg(0, False), facts=small, ratio=learned)).body["prompt"]
    assert sent == indexed.prompt.text
    afresh = render(call({"prompt": ""}, infill=infill), replace(leg(0, False), facts=small))
    assert sent == afresh.body["prompt"]


def test_an_infill_is_cut_once_more_where_it_proved_too_long_or_the_context_is_another() -> None:
    infill = Infill("def f(x):\n" * 400, "\n    return x\n")
    small = replace(FACTS, max_model_len=256)
    indexed = rendered_infill(infill, 16, small, CharsPerToken())
    asked = replace(call({"prompt": ""}, infill=infill), rendered=indexed)
    route = replace(leg(0, False), facts=small)
    assert len(render(asked, route, overflows=1).body["prompt"]) < len(indexed.prompt.text)
    larger = replace(route, facts=replace(FACTS, max_model_len=512))
    assert len(render(asked, larger).body["prompt"]) > len(indexed.prompt.text)


def test_the_text_of_other_prompts() -> None:
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": None}]
    text = prompt_text(ApiKind.CHAT, {"messages": messages})
    assert text == "user\nhello\nassistant\n\n"
    assert prompt_text(ApiKind.COMPLETION, PROMPT) == PROMPT["prompt"]
    assert prompt_text(ApiKind.COMPLETION, {"prompt": [1, 2]}) == ""


def test_priority_is_the_scheduler_s_where_the_replica_takes_it() -> None:
    asked = call({**PROMPT, "priority": -99})
    assert render(asked, leg(7, takes_priority=True)).body["priority"] == 7
    assert render(call(PROMPT), leg(-3, takes_priority=True)).body["priority"] == -3
    assert "priority" not in render(call(PROMPT), leg(7, takes_priority=False)).body


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ('{"cached_tokens": 48}', 48),
        ("null", None),
        ("{}", None),
        ('{"cached_tokens": "many"}', None),
        ('{"cached_tokens": -1}', None),
        ("[]", None),
    ],
)
def test_cached_tokens_are_what_the_engine_says(details: str, cached: int | None) -> None:
    answer = Answer(call({**PROMPT, "stream": True}))
    usage = f'{{"prompt_tokens": 64, "prompt_tokens_details": {details}}}'
    (event,) = sse.EventReader().feed(f'data: {{"choices": [], "usage": {usage}}}\n\n'.encode())
    relayed = answer.take(event)
    assert (relayed.data, relayed.prompt_tokens, relayed.cached_tokens) == (b"", 64, cached)


@pytest.mark.parametrize(
    ("speaks_vllm", "salt", "expected"),
    [(True, "ours", "ours"), (True, "", "theirs"), (False, "ours", "theirs")],
)
def test_only_vllm_is_told_by_what_prefix_caches_are_kept_apart(
    speaks_vllm: bool, salt: str, expected: str
) -> None:
    route = leg(0, False)
    route = replace(route, endpoint=replace(route.endpoint, speaks_vllm=speaks_vllm))
    asked = replace(call({**PROMPT, "cache_salt": "theirs"}), cache_salt=salt)
    assert render(asked, route).body["cache_salt"] == expected
    plain = render(replace(call(PROMPT), cache_salt=salt), route).body
    assert plain.get("cache_salt") == (salt if speaks_vllm and salt else None)


@pytest.mark.parametrize("salt", ["", "ours"])
def test_block_hashes_of_an_isolated_cache_cannot_be_named(salt: str) -> None:
    route = leg(0, False)
    route = replace(route, endpoint=replace(route.endpoint, speaks_vllm=True))
    body = {**PROMPT, "kv_transfer_params": {"do_remote_prefill": True, "remote_block_ids": [1]}}
    sent = render(replace(call(body), cache_salt=salt), route).body
    assert ("kv_transfer_params" in sent) is not bool(salt)
