"""What a client of vLLM gets from an emulated one."""

from __future__ import annotations

from typing import Any

import aiohttp
import openai
import pytest

from cato_backend.profile_files.profile import EngineLimits
from tests.contract.emulator.conftest import Starting

PROMPT = "def add(first, second):\n" * 8
MODEL = "cato-emulated"


def client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


async def test_openais_client_streams_completions(start: Starting) -> None:
    emulator = await start()
    async with client(emulator.url) as openai_client:
        assert [model.id async for model in openai_client.models.list()] == [MODEL]
        for cached in (0, 96):
            stream = await openai_client.completions.create(
                model=MODEL,
                prompt=PROMPT,
                max_tokens=7,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"return_token_ids": True, "priority": 3},
            )
            chunks = [chunk async for chunk in stream]
            assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * 6 + [
                "length"
            ]
            usage = chunks[-1].usage
            assert usage is not None
            assert usage.completion_tokens == 7
            assert usage.prompt_tokens == 13 * 8
            assert usage.prompt_tokens_details is not None
            assert usage.prompt_tokens_details.cached_tokens == cached


async def test_openais_client_chats(start: Starting) -> None:
    emulator = await start()
    async with client(emulator.url) as openai_client:
        answer = await openai_client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}], max_tokens=5, n=2
        )
        stream = await openai_client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "hello"}],
            max_tokens=5,
            stream=True,
        )
        deltas = [chunk.choices[0].delta async for chunk in stream]
    assert [choice.finish_reason for choice in answer.choices] == ["length", "length"]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 10
    assert deltas[0].role == "assistant"
    text = "".join(delta.content or "" for delta in deltas)
    assert text == answer.choices[0].message.content


async def completion(
    http: aiohttp.ClientSession, url: str, status: int = 200, **body: Any
) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    async with http.post(f"{url}/v1/completions", json=body) as response:
        assert response.status == status, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


async def test_an_answer_goes_on_from_its_token_ids_on_another_replica(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    one, other = await start(), await start()
    body = {"prompt": PROMPT, "return_token_ids": True}
    whole = (await completion(http, one.url, max_tokens=30, **body))["choices"][0]
    begun = (await completion(http, one.url, max_tokens=12, **body))["choices"][0]
    ids = begun["prompt_token_ids"] + begun["token_ids"]
    rest = (await completion(http, other.url, prompt=ids, max_tokens=18))["choices"][0]
    assert begun["text"] + rest["text"] == whole["text"]


async def test_stops_end_an_answer_before_its_length(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    emulator = await start()
    body = {"prompt": PROMPT, "max_tokens": 60, "return_token_ids": True}
    free = (await completion(http, emulator.url, **body))["choices"][0]
    token, text = free["token_ids"][9], free["text"][20:26]
    by_token = await completion(http, emulator.url, stop_token_ids=[token], **body)
    by_text = await completion(http, emulator.url, stop=[text], **body)
    assert by_token["choices"][0]["stop_reason"] == token
    assert by_text["choices"][0]["stop_reason"] == text
    assert by_text["choices"][0]["text"] == free["text"][: free["text"].index(text)]
    async with http.get(f"{emulator.url}/metrics") as response:
        assert 'finished_reason="stop",model_name="cato-emulated"} 2.0' in await response.text()


async def test_each_prompt_of_a_list_is_answered(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    emulator = await start()
    answer = await completion(http, emulator.url, prompt=["a", "b", "c"], max_tokens=4, n=2)
    assert [choice["index"] for choice in answer["choices"]] == list(range(6))
    assert answer["usage"]["completion_tokens"] == 24


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"prompt": ""}, 400, "prompt"),
        ({"prompt": {"text": "x"}}, 400, "body.prompt"),
        ({"prompt": "a " * 50}, 400, "input_tokens"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"stop": 7}, 400, "body.stop"),
        ({"stop_token_ids": "x"}, 400, "body.stop_token_ids"),
        ({"stream": True, "stream_options": []}, 400, "body.stream_options"),
        ({"priority": "high"}, 400, "body.priority"),
        ({"model": "other"}, 404, "model"),
    ],
)
async def test_what_vllm_refuses_is_refused_in_its_words(
    start: Starting,
    http: aiohttp.ClientSession,
    change: dict[str, Any],
    status: int,
    param: str,
) -> None:
    emulator = await start(EngineLimits(max_model_len=64))
    answer = await completion(http, emulator.url, status, **{"prompt": "x", **change})
    assert (answer["error"]["param"], answer["error"]["code"]) == (param, status)
    async with http.post(f"{emulator.url}/v1/completions", data=b"{") as response:
        assert response.status == 400
    async with http.post(f"{emulator.url}/v1/chat/completions", json={"messages": 1}) as response:
        assert response.status == 400


async def test_a_priority_is_refused_without_priority_scheduling(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    emulator = await start(order="fcfs")
    answer = await completion(http, emulator.url, 400, prompt="x", priority=1)
    assert "priority" in answer["error"]["message"].lower()
