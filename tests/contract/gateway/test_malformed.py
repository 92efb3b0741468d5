"""What is hardly HTTP, and JSON that no one would write, gets a 4xx in OpenAI's shape."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.contract.gateway.malformed import REFUSED, check, mutated
from tests.contract.gateway.site import CHAT, COMPLETIONS, TASKS, Site
from tests.contract.gateway.sockets import raw

pytestmark = pytest.mark.asyncio(loop_scope="package")

PATHS = (COMPLETIONS, CHAT, TASKS, "/v1/warm", "/v1/feedback", "/v1/requests/x/cancel")
EXAMPLES = 100


@pytest.mark.parametrize("name", REFUSED)
async def test_it_is_refused_in_openai_s_shape(strict: Site, name: str) -> None:
    token = b"\r\nauthorization: Bearer " + strict.token.encode() + b"\r\n"
    async with raw(strict.url) as client:
        client.send(REFUSED[name].replace(b"\r\n", token, 1))
        answers = await client.rest()
    assert min(check(answers)) >= 400


@pytest.mark.parametrize("name", ["long header", "long path"])
async def test_what_is_too_long_is_told_as_that(strict: Site, name: str) -> None:
    """A client with a large cookie must not look for a fault in its HTTP."""
    async with raw(strict.url) as client:
        client.send(REFUSED[name])
        answers = await client.rest()
    assert check(answers) == [431]
    assert b"longer than 8190 bytes" in answers
    assert b"yyy" not in answers


LARGE = {
    "messages": {"messages": [{"role": "user", "content": "x"}] * 30_001},
    "content parts": {"messages": [{"role": "user", "content": [{}] * 30_001}]},
    "fields": {f"k{number}": number for number in range(1_001)},
}


@pytest.mark.parametrize("name", LARGE)
async def test_json_of_too_many_parts_is_refused(strict: Site, name: str) -> None:
    """To look at each of them would hold up the streams of all others."""
    for path in (CHAT, "/v1/messages"):
        answer = await strict.post(LARGE[name], path)
        assert answer.status == 413
        assert "more than" in answer.json["error"]["message"]


async def test_many_brackets_in_a_text_are_no_parts(strict: Site) -> None:
    body = {"prompt": "x", "user": "[{" * 20_000, "max_tokens": 2}
    assert (await strict.post(body)).status == 200


async def test_whatever_is_changed_in_a_request(strict: Site) -> None:
    tried: list[bytes] = []

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(mutated(strict.token))
    def collect(data: bytes) -> None:
        tried.append(data)

    collect()
    gate = asyncio.Semaphore(6)

    async def one(data: bytes) -> None:
        async with gate, raw(strict.url) as client:
            client.send(data)
            check(await client.rest())

    await asyncio.gather(*[one(data) for data in tried])
    assert len(tried) == EXAMPLES
    assert "Traceback" not in strict.serve.said


def nested(depth: int, kind: str) -> str:
    start, end = ("[", "]") if kind == "arrays" else ('{"a":', "}")
    return start * depth + "1" + end * depth


@pytest.mark.parametrize("kind", ["arrays", "objects"])
@pytest.mark.parametrize("depth", [100, 150, 254, 255, 256, 500, 900, 1000, 1023, 1024, 5000])
async def test_json_that_is_nested_deeply(strict: Site, depth: int, kind: str) -> None:
    """In fields that are ours, in those that are passed on, in the middle of a message."""
    deep = nested(depth, kind)
    bodies = [
        f'{{"prompt": "x", "extra": {deep}}}',
        f'{{"prompt": {deep}}}',
        f'{{"messages": [{{"role": "user", "content": [{{"a": {deep}}}]}}]}}',
        f'{{"messages": [{{"role": "user", "content": "x"}}], "tools": [{deep}]}}',
        f'{{"cato": {deep}, "prompt": "x"}}',
        deep,
    ]
    for path in PATHS:
        for body in bodies:
            answer = await strict.call("POST", path, data=body)
            assert answer.status in (400, 404), (path, body[:40], answer.body)
            assert answer.error["type"] == "invalid_request_error"


async def test_json_that_is_nested_as_tools_are_is_passed_on(strict: Site) -> None:
    extra = json.loads(nested(90, "objects"))
    body = {"prompt": "x", "max_tokens": 2, "extra": extra, "lists": [[[]]] * 300}
    assert (await strict.post(body)).status == 200
    assert strict.fake.requests[-1].body["extra"] == body["extra"]


ODD: list[Any] = [
    5,
    -1,
    0.5,
    1e300,
    2**63,
    2**70,
    True,
    "x",
    "",
    [],
    ["x"],
    [5],
    [[]],
    {},
    {"a": 1},
    [None],
]
OURS = (
    "prompt", "suffix", "messages", "model", "stream", "stream_options", "max_tokens", "n", "stop",
    "max_completion_tokens", "stop_token_ids", "min_tokens", "logprobs", "echo", "best_of", "cato",
    "return_token_ids", "temperature", "top_p", "seed", "tools", "priority", "response_format",
)  # fmt: skip


@pytest.mark.parametrize("field", OURS)
async def test_every_field_of_any_type(strict: Site, field: str) -> None:
    """Alone and beside a suffix, for which the gateway itself adds to the body."""
    bases: list[tuple[str, dict[str, Any]]] = [
        (COMPLETIONS, {"prompt": "x", "max_tokens": 2}),
        (COMPLETIONS, {"prompt": "x", "suffix": "y", "max_tokens": 2, "stream": True}),
        (COMPLETIONS, {"prompt": "x", "cato": {"stop": ["z"]}, "max_tokens": 2}),
        (CHAT, {"messages": [{"role": "user", "content": "x"}], "max_tokens": 2, "stream": True}),
        ("/v1/warm", {"prompt": "x", "suffix": "y"}),
    ]
    for path, base in bases:
        for value in ODD:
            answer = await strict.post({**base, field: value}, path)
            assert answer.status in (200, 202, 400, 404, 429), (path, value, answer.body)


@pytest.mark.parametrize("name", ["x-slo-ttft-ms", "x-slo-e2e-ms", "x-slo-tpot-ms"])
@pytest.mark.parametrize("value", ["5e-324", "1e-300", "1e-9", "0.001", "3600000"])
async def test_budgets_of_any_size(strict: Site, name: str, value: str) -> None:
    """Where a replica is free, a request is served, however late it is."""
    for task in ("completion", "generation", "summarization", "translation", "agent"):
        headers = {name.replace("-", "_"): value, "x_cato_task": task}
        answer = await strict.post({"prompt": "x", "max_tokens": 2}, **headers)
        assert answer.status == 200, answer.body


async def test_stop_token_ids_beside_a_suffix(strict: Site) -> None:
    body = {"prompt": "x", "suffix": "y", "max_tokens": 2}
    refused = await strict.post({**body, "stop_token_ids": 5})
    assert refused.status == 400
    assert refused.error["param"] == "stop_token_ids"
    assert (await strict.post({**body, "stop_token_ids": [5]})).status == 200
    assert (await strict.post({**body, "stop_token_ids": None})).status == 200
