"""An emulator at fixed times keeps the promises that other tests build on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_lab.emulator import Behaviour, Fault, FaultKind
from cato_lab.emulator.tokenizer import Tokenizer
from tests.fakes import fake_vllm, fake_vllm_command

REPLY = "def add(a, b):\n    return a + b  # über\n"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def events(http: aiohttp.ClientSession, url: str, **body: Any) -> list[dict[str, Any]]:
    """The data of every event but [DONE], which must be the last."""
    path = "/v1/chat/completions" if "messages" in body else "/v1/completions"
    async with http.post(url + path, json={"stream": True, **body}) as response:
        assert response.status == 200, await response.text()
        *data, done, end = (await response.read()).split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    return [json.loads(event.removeprefix(b"data: ")) for event in data]


def said(stream: list[dict[str, Any]]) -> str:
    return "".join(choice["text"] for event in stream for choice in event["choices"])


@given(st.text())
def test_the_tokenizer_is_reversible(text: str) -> None:
    tokenizer = Tokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text


async def test_a_stream_resumed_on_another_fake_continues_where_it_stopped(
    http: aiohttp.ClientSession,
) -> None:
    reply = Behaviour(reply=REPLY)
    async with fake_vllm(reply) as first, fake_vllm(reply) as second:
        options = {"prompt": "# add\n", "return_token_ids": True}
        start = await events(http, first.url, **options, max_tokens=5)
        ids = start[0]["choices"][0]["prompt_token_ids"]
        emitted = [token for event in start for token in event["choices"][0]["token_ids"]]
        rest = await events(http, second.url, prompt=ids + emitted, max_tokens=100)
    assert len(emitted) == 5
    assert start[-1]["choices"][0]["finish_reason"] == "length"
    assert said(start) + said(rest) == REPLY
    assert rest[-1]["choices"][0]["finish_reason"] == "stop"


async def test_unscripted_text_is_a_function_of_what_came_before(
    http: aiohttp.ClientSession,
) -> None:
    async with fake_vllm() as fake:
        whole = said(await events(http, fake.url, prompt="x", max_tokens=40))
        start = said(await events(http, fake.url, prompt="x", max_tokens=15))
        rest = said(await events(http, fake.url, prompt="x" + start, max_tokens=25))
    assert start + rest == whole


async def test_infill_continues_the_document_up_to_the_suffix(http: aiohttp.ClientSession) -> None:
    prompt = "<|fim_prefix|>def add(a, b):\n<|fim_suffix|>  # über\n<|fim_middle|>"
    async with fake_vllm(Behaviour(document=REPLY)) as fake:
        stream = await events(http, fake.url, prompt=prompt, max_tokens=100)
    assert said(stream) == "    return a + b"


async def test_stop_strings_end_the_text_before_them(http: aiohttp.ClientSession) -> None:
    async with fake_vllm(Behaviour(reply=REPLY)) as fake:
        stream = await events(http, fake.url, prompt="x", max_tokens=100, stop=["a + b"])
    assert said(stream) == "def add(a, b):\n    return "
    assert stream[-1]["choices"][0]["stop_reason"] == "a + b"


async def test_usage_counts_tokens_and_cached_prompt_blocks(http: aiohttp.ClientSession) -> None:
    async with fake_vllm(Behaviour(reply=REPLY)) as fake:
        prompt = "a " * 40
        options = {"include_usage": True, "continuous_usage_stats": True}
        for cached in (0, 64):
            stream = await events(
                http, fake.url, prompt=prompt, max_tokens=3, stream_options=options
            )
            assert [event["usage"]["completion_tokens"] for event in stream] == [1, 2, 3, 3]
            assert stream[-1]["usage"]["prompt_tokens"] == 80
            assert stream[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": cached}


async def test_chat_and_whole_answers(http: aiohttp.ClientSession) -> None:
    messages = [{"role": "user", "content": "hello"}]
    async with fake_vllm(Behaviour(reply=REPLY)) as fake:
        stream = await events(http, fake.url, messages=messages)
        url = fake.url + "/v1/chat/completions"
        async with http.post(url, json={"messages": messages, "n": 2}) as response:
            whole = await response.json()
    deltas = [event["choices"][0]["delta"] for event in stream]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta["content"] for delta in deltas) == REPLY
    assert [choice["message"]["content"] for choice in whole["choices"]] == [REPLY, REPLY]


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"prompt": ""}, 400, "prompt"),
        ({"prompt": "a " * 50}, 400, "input_tokens"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": 5000}, 400, "max_tokens"),
        ({"max_tokens": "many"}, 400, "body.max_tokens"),
        ({"suffix": "x"}, 400, "suffix"),
        ({"stream_options": {"include_usage": True}}, 400, "stream_options"),
        ({"model": "other"}, 404, "model"),
    ],
)
async def test_refusals_name_the_parameter(
    http: aiohttp.ClientSession, change: dict[str, Any], status: int, param: str
) -> None:
    async with fake_vllm(Behaviour(max_model_len=64)) as fake:
        body = {"prompt": "x", **change}
        async with http.post(fake.url + "/v1/completions", json=body) as response:
            assert response.status == status
            error = (await response.json())["error"]
    assert (error["param"], error["code"]) == (param, status)


async def test_a_client_that_leaves_aborts_its_request(http: aiohttp.ClientSession) -> None:
    async with fake_vllm(Behaviour(itl_ms=5, max_num_seqs=1)) as fake:
        body = {"prompt": "x", "max_tokens": 4000, "stream": True}
        async with http.post(fake.url + "/v1/completions", json=body) as running:
            await running.content.readany()
            queued = asyncio.create_task(events(http, fake.url, prompt="y"))
            await fake.wait_until(lambda state: state.waiting == 1)
            queued.cancel()
            await fake.wait_until(lambda state: state.aborted == 1 and state.waiting == 0)
            running.close()
        await fake.wait_until(lambda state: state.aborted == 2 and state.running == 0)
        async with http.get(fake.url + "/metrics") as response:
            text = await response.text()
        assert 'vllm:num_requests_running{engine="0",model_name="cato-embedded"} 0.0' in text


@pytest.mark.parametrize(
    "kind", [FaultKind.RESET, FaultKind.DIE, FaultKind.TRUNCATE, FaultKind.MALFORMED]
)
async def test_faults_strike_as_often_as_told(http: aiohttp.ClientSession, kind: FaultKind) -> None:
    fault = Fault(kind, after_tokens=2, times=1)
    async with fake_vllm(Behaviour(reply=REPLY, faults=(fault,))) as fake:
        with pytest.raises((aiohttp.ClientError, ValueError, AssertionError)):
            await events(http, fake.url, prompt="x")
        assert said(await events(http, fake.url, prompt="x", max_tokens=100)) == REPLY


async def test_a_killed_fake_refuses_until_it_is_brought_back(
    http: aiohttp.ClientSession,
) -> None:
    async with fake_vllm() as fake:
        async with http.post(fake.control_url + "/behaviour", json={"listening": False}) as done:
            assert done.status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(fake.url + "/health")
        await fake.change(listening=True)
        async with http.get(fake.url + "/health") as response:
            assert response.status == 200


async def test_as_a_process_it_prints_its_url_first(http: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        *fake_vllm_command(0, 0), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url, control = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
        assert said(await events(http, url, prompt="x"))
        async with http.get(control + "/state") as response:
            assert (await response.json())["finished"] == {"length": 1}
    finally:
        process.terminate()
        assert await process.wait() == 0
