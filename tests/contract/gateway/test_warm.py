"""`POST /v1/warm`: the prefix cache is filled where nobody has to wait for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.contract.gateway.site import COMPLETIONS, Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

WARM = "/v1/warm"
PROMPT = "def add(a, b):\n    return a + b\n" * 40


async def test_the_next_completion_finds_its_prefix(single: Site) -> None:
    parts = {"prompt": PROMPT, "suffix": "\nadd(1, 2)\n"}
    answer = await single.post(parts, WARM, x_cato_session="warm-1")
    assert answer.status == 200
    assert answer.json["status"] == "warmed"
    assert answer.json["prompt_tokens"] > 100
    (warmed,) = single.fake.requests
    assert warmed.body["max_tokens"] == 1
    assert warmed.body["priority"] == 2**31 - 1
    before = await single.metrics()
    body = {**parts, "max_tokens": 256, "stream_options": {"include_usage": True}, "stream": True}
    usage = (await single.post(body, x_cato_task="completion")).chunks[-1]["usage"]
    assert single.fake.requests[1].body["prompt"] == warmed.body["prompt"]
    assert usage["prompt_tokens_details"]["cached_tokens"] > 100
    after = await single.metrics()
    name, label = "cato_prompt_tokens_cached_total", ("completion",)
    assert after[name, label] - before.get((name, label), 0) > 100
    assert after["cato_requests_total", ("met", "warm")] >= 1


async def test_a_long_prompt_is_cut_as_that_of_the_completion(single: Site) -> None:
    wordy = "internationalisation of accumulators\n" * 600
    parts = {"prompt": wordy, "suffix": wordy, "max_tokens": 600}
    same: list[bool] = []
    for _ in range(3):  # What is learned of the tokens' length may move the cut, but not often.
        assert (await single.post(parts, WARM, x_cato_session="warm-2")).status == 200
        assert (await single.post(parts, COMPLETIONS)).status == 200
        warmed, completed = single.fake.requests[-2:]
        same.append(warmed.body["prompt"] == completed.body["prompt"])
    assert any(same)


async def test_a_warm_up_is_skipped_while_a_request_waits(narrow: Site) -> None:
    await narrow.fake.change(itl_ms=20)
    body = {"prompt": "x", "max_tokens": 100, "stream": True}
    async with narrow.opened(body), asyncio.TaskGroup() as group:
        queued = group.create_task(narrow.post(body, x_slo_ttft_ms=5000, x_request_id="queued"))
        await narrow.wait_total("cato_requests_waiting", 1)
        answer = await narrow.post({"prompt": "y"}, WARM)
        assert (answer.status, answer.json["reason"]) == (202, "requests_wait")
        await narrow.cancel("queued", "closed")
        assert (await queued).status in (200, 499)
    assert [r.body["prompt"] for r in narrow.fake.requests] == ["x"]


async def test_it_gives_up_where_no_slot_comes_free(narrow: Site) -> None:
    await narrow.fake.change(itl_ms=20)
    async with narrow.opened({"prompt": "x", "max_tokens": 200, "stream": True}):
        answer = await narrow.post({"prompt": "y"}, WARM, x_cato_session="warm-3")
    assert (answer.status, answer.json["reason"]) == (202, "expired")


async def test_a_session_that_warms_too_often_is_told_when_to_come_back(single: Site) -> None:
    answers = [await single.post({"prompt": "x"}, WARM, x_cato_session="warm-4") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after-ms"]) <= 1000
    other = await single.post({"prompt": "x"}, WARM, x_cato_session="warm-5")
    assert other.status == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": 7}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"stream": True}, "stream"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": "gpt-5"}, "model"),
    ],
)
async def test_a_bad_field_is_refused_by_name(
    single: Site, change: dict[str, Any], field: str
) -> None:
    answer = await single.post({"prompt": "x", **change}, WARM, x_cato_session=f"bad-{field}")
    assert answer.status in (400, 404)
    assert answer.error["param"] == field
    assert single.fake.requests == []
