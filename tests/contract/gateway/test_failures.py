"""Replicas that die, stall, break off, and are not there: what the client sees of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cato_lab.emulator import Fault, FaultKind
from tests.contract.gateway.site import CHAT, COMPLETIONS, Answer, Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

MESSAGES = [{"role": "user", "content": "count"}]
BROKEN = [FaultKind.DIE, FaultKind.TRUNCATE, FaultKind.STALL, FaultKind.MALFORMED,
          FaultKind.STREAM_ERROR]  # fmt: skip
USAGE = {"stream_options": {"include_usage": True}}


async def undisturbed(pair: Site, body: dict[str, Any], path: str) -> Answer:
    answer = await pair.post(body, path, x_request_id="same")
    assert answer.status == 200
    for fake in pair.fakes:
        fake.state.requests.clear()
    return answer


async def disturbed(pair: Site, body: dict[str, Any], path: str, fault: Fault) -> Answer:
    """The first replica, which is asked first where both are idle, breaks the attempt off."""
    first, second = pair.fakes
    await first.change(faults=[fault])
    answer = await pair.post(body, path, x_request_id="same")
    # A kept connection that is lost before a byte of the reply may have been dead already.
    died = fault.kind is FaultKind.DIE
    unanswered = fault.kind is FaultKind.RESET or (died and not body["stream"])
    sent = 2 if unanswered else 1
    assert (len(first.requests), len(second.requests)) == (sent, 1)
    return answer


@pytest.mark.parametrize(
    ("kind", "stream"),
    [(kind, True) for kind in (FaultKind.RESET, FaultKind.ERROR, *BROKEN)]
    + [(kind, False) for kind in (FaultKind.RESET, FaultKind.ERROR, FaultKind.DIE)],
)
@pytest.mark.parametrize("path", [COMPLETIONS, CHAT])
async def test_before_the_first_token_another_replica_takes_over_unseen(
    pair: Site, kind: FaultKind, stream: bool, path: str
) -> None:
    body = {"prompt": "x", "messages": MESSAGES, "stream": stream, "max_tokens": 5}
    expected = await undisturbed(pair, body, path)
    answer = await disturbed(pair, body, path, Fault(kind, 0))
    assert answer.status == 200
    assert without_times(answer) == without_times(expected)


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("path", [COMPLETIONS, CHAT])
async def test_in_mid_stream_another_replica_goes_on(
    pair: Site, kind: FaultKind, path: str
) -> None:
    """Text, limits, finish reason, ids and usage are those of an undisturbed run."""
    body = {"prompt": "x", "messages": MESSAGES, "stream": True, "max_tokens": 12, **USAGE}
    expected = await undisturbed(pair, body, path)
    answer = await disturbed(pair, body, path, Fault(kind, 4))
    assert without_times(answer) == without_times(expected)


@pytest.mark.parametrize(
    "options",
    [
        {"suffix": "the end"},
        {"stop": ["return self"], "max_tokens": 60},
        {"return_token_ids": True},
        {"stream_options": {"include_usage": True, "continuous_usage_stats": True}},
        {"prompt": [4242, 4343]},
        {"min_tokens": 11},
        {"response_format": {"type": "text"}, "n": 1, "logprobs": None},
    ],
)
async def test_what_a_continuation_keeps(pair: Site, options: dict[str, Any]) -> None:
    body = {"prompt": "x", "stream": True, "max_tokens": 12, **USAGE, **options}
    expected = await undisturbed(pair, body, COMPLETIONS)
    answer = await disturbed(pair, body, COMPLETIONS, Fault(FaultKind.DIE, 4))
    assert answer.text == expected.text
    assert answer.chunks[-1]["usage"] == expected.chunks[-1]["usage"]
    assert token_ids(answer) == token_ids(expected)


async def test_log_probabilities_go_on_where_they_were(pair: Site) -> None:
    body = {"prompt": "x", "stream": True, "max_tokens": 12, "logprobs": 0}
    expected = await undisturbed(pair, body, COMPLETIONS)
    answer = await disturbed(pair, body, COMPLETIONS, Fault(FaultKind.DIE, 4))
    assert without_times(answer) == without_times(expected)


async def test_a_chat_without_a_limit_goes_on_to_its_own_end(pair: Site) -> None:
    for fake in pair.fakes:
        await fake.change(reply="word " * 1500, max_model_len=4096)
    body = {"messages": MESSAGES, "stream": True}
    answer = await disturbed(pair, body, CHAT, Fault(FaultKind.DIE, 1030))
    assert answer.text == "word " * 1500


async def test_a_stream_is_continued_more_than_once(pair: Site) -> None:
    body = {"prompt": "x", "stream": True, "max_tokens": 12, **USAGE}
    expected = await undisturbed(pair, body, COMPLETIONS)
    for fake in pair.fakes:
        await fake.change(faults=[Fault(FaultKind.DIE, after_tokens=4, times=1)])
    before = await pair.total("cato_streams_resumed_total")
    answer = await pair.post(body, x_request_id="same")
    assert await pair.total("cato_streams_resumed_total") - before == 2
    assert sum(len(fake.requests) for fake in pair.fakes) == 3
    assert without_times(answer) == without_times(expected)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"n": 2}, COMPLETIONS),
        ({"logprobs": 1, "stop": ["never"]}, COMPLETIONS),
        ({"logprobs": True}, CHAT),
        ({"seed": 1}, COMPLETIONS),
        ({"prompt": ["x", "y"]}, COMPLETIONS),
        ({"echo": True}, COMPLETIONS),
        ({"response_format": {"type": "json_object"}}, CHAT),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, CHAT),
        ({"stop": ["never"]}, CHAT),
    ],
)
async def test_what_cannot_be_continued_ends_with_a_named_error(
    pair: Site, options: dict[str, Any], path: str
) -> None:
    await pair.fakes[0].change(faults=[Fault(FaultKind.DIE, after_tokens=4)])
    body = {"prompt": "x", "messages": MESSAGES, "stream": True, "max_tokens": 12, **options}
    answer = await pair.post(body, path)
    assert answer.status == 200
    assert answer.chunks[-1]["error"]["code"] == "replica_failed"
    assert sum(len(fake.requests) for fake in pair.fakes) == 1


async def test_every_replica_fails(pair: Site) -> None:
    for fake in pair.fakes:
        await fake.change(faults=[Fault(FaultKind.ERROR)])
    before = await pair.total("cato_retries_total")
    answer = await pair.post({"prompt": "x", "stream": True})
    assert answer.status == 502
    assert answer.error["code"] == "replica_failed"
    assert await pair.total("cato_retries_total") - before == 3


async def test_a_replica_that_vanishes_in_mid_stream(pair: Site) -> None:
    """Its process is killed: the stream goes on elsewhere, and newcomers go there too."""
    body = {"prompt": "x", "stream": True, "max_tokens": 60}
    expected = await undisturbed(pair, body, COMPLETIONS)
    for fake in pair.fakes:
        await fake.change(itl_ms=5)
    asking = asyncio.create_task(pair.post(body))
    victim = pair.fakes[0]
    await victim.wait_until(lambda state: state.running == 1)
    await victim.change(listening=False)
    assert (await asking).text == expected.text
    others = await asyncio.gather(*(pair.post({"prompt": "x"}) for _ in range(4)))
    assert [answer.status for answer in others] == [200] * 4
    await victim.change(listening=True)
    await pair.wait_total("cato_replicas_up", 2)


async def test_without_a_replica_a_request_is_held_until_its_deadline(single: Site) -> None:
    await single.fake.change(listening=False)
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = await single.post({"prompt": "x"}, x_slo_ttft_ms=600)
    assert answer.status == 503
    assert answer.error["code"] == "no_replica"
    assert 0.5 < loop.time() - began < 3
    await single.fake.change(listening=True)
    await single.wait_total("cato_replicas_up", 1)


async def test_a_held_request_is_served_when_the_replica_comes_back(single: Site) -> None:
    await single.fake.change(listening=False)
    asking = asyncio.create_task(single.post({"prompt": "x"}, x_slo_e2e_ms=20_000))
    await single.wait_total("cato_replicas_up", 0)
    health = await single.call("GET", "/health")
    assert health.status == 503
    assert "static-1" in health.json["message"]
    await single.fake.change(listening=True)
    assert (await asking).status == 200
    assert (await single.call("GET", "/health")).status == 200


def without_times(answer: Answer) -> list[Any]:
    """All chunks of a stream, or the whole body."""
    if "event-stream" not in answer.headers["content-type"]:
        return [{**answer.json, "created": 0}]
    return [
        {**chunk, "created": 0, "system_fingerprint": None, "usage": counts(chunk.get("usage"))}
        | {"choices": [shown(choice) for choice in chunk["choices"]]}
        | {"prompt_token_ids": None, "prompt_text": None}
        for chunk in answer.chunks
    ]


def counts(usage: dict[str, Any] | None) -> dict[str, int]:
    """The three counts; how much of a prompt was cached differs from run to run."""
    return {name: value for name, value in (usage or {}).items() if name.endswith("tokens")}


def shown(choice: dict[str, Any]) -> dict[str, Any]:
    """Without fields that are null."""
    return {name: value for name, value in choice.items() if value is not None}


def token_ids(answer: Answer) -> list[int]:
    return [
        token
        for chunk in answer.chunks
        for choice in chunk["choices"]
        for token in choice["token_ids"] or ()
    ]
