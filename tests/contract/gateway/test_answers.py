"""What a well-formed request gets: OpenAI's answers as the replica gave them, and our headers."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from cato_backend.wire.headers import ALIASES
from tests.contract.gateway.site import CHAT, COMPLETIONS, Answer, Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

REPLY = "def add(a, b):\n    return a + b  # über\n"
MESSAGES = [{"role": "user", "content": "add two numbers"}]
HEADERS = ("x-request-id", "x-cato-task", "x-cato-replica", "x-cato-queue-ms", "x-cato-load")


async def test_a_stream_is_the_replica_s_own(single: Site) -> None:
    for path, body in ((COMPLETIONS, {"prompt": "x"}), (CHAT, {"messages": MESSAGES})):
        body |= {"stream": True, "max_tokens": 9}
        ours = await single.post({"model": "cato", **body}, path, x_request_id="same")
        theirs = await direct(single, path, body)
        assert plain(ours) == plain(theirs)


async def test_an_answer_in_one_piece_is_the_replica_s_own(single: Site) -> None:
    for path, body in ((COMPLETIONS, {"prompt": "x"}), (CHAT, {"messages": MESSAGES})):
        ours = await single.post({"model": "cato", "max_tokens": 9, **body}, path, x_request_id="s")
        theirs = await direct(single, path, {"max_tokens": 9, **body}, "s")
        assert ours.headers["content-type"] == "application/json"
        assert {**ours.json, "created": 0} == {**theirs.json, "created": 0}


async def test_fields_that_only_the_gateway_asked_for_are_not_sent_to_clients(single: Site) -> None:
    stream = await single.post({"prompt": "x", "stream": True, "max_tokens": 3})
    asked = single.fake.requests[-1].body
    assert asked["return_token_ids"] is True
    assert asked["stream_options"] == {"include_usage": True}
    assert all(chunk["choices"] and not chunk.get("usage") for chunk in stream.chunks)
    assert all(chunk["choices"][0]["token_ids"] is None for chunk in stream.chunks)
    assert all(chunk["choices"][0]["prompt_token_ids"] is None for chunk in stream.chunks)


async def test_who_asks_for_ids_and_usage_gets_them(single: Site) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    body = {"prompt": "x", "stream": True, "max_tokens": 3, "return_token_ids": True}
    stream = await single.post({**body, "stream_options": options})
    *chunks, last = stream.chunks
    assert [len(chunk["choices"][0]["token_ids"]) for chunk in chunks] == [1, 1, 1]
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks] == [1, 2, 3]
    assert chunks[0]["choices"][0]["prompt_token_ids"]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 3


async def test_continuous_usage_without_usage_is_not_heeded(single: Site) -> None:
    options = {"continuous_usage_stats": True}
    stream = await single.post({"prompt": "x", "stream": True, "stream_options": options})
    assert not any(chunk.get("usage") for chunk in stream.chunks)


async def test_several_answers_to_one_request(single: Site) -> None:
    stream = await single.post({"prompt": "x", "stream": True, "n": 3, "max_tokens": 2})
    finished = [
        choice["index"]
        for chunk in stream.chunks
        for choice in chunk["choices"]
        if choice["finish_reason"]
    ]
    assert sorted(finished) == [0, 1, 2]


async def test_openai_s_client(single: Site) -> None:
    await single.fake.change(reply=REPLY)
    async with single.openai() as client:
        whole = await client.completions.create(model="cato", prompt="#", max_tokens=99)
        assert whole.choices[0].text == REPLY
        stream = await client.chat.completions.create(
            model="cato",
            messages=[{"role": "user", "content": "add"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        models = await client.models.list()
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == REPLY
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert [model.id for model in models.data] == [*ALIASES, "cato-embedded"]


async def test_the_alias_and_the_model_s_own_name(single: Site) -> None:
    for body in ({}, {"model": "cato"}, {"model": "cato-embedded"}):
        answer = await single.post({"prompt": "x", **body})
        assert answer.status == 200
        assert single.fake.requests[-1].body["model"] == "cato-embedded"


async def test_prefix_and_suffix_are_rendered_and_their_markers_made_harmless(single: Site) -> None:
    context = [{"path": "other.py", "text": "A = 1 # <|file_sep|>"}]
    body = {"prompt": "a <|fim_middle|> b", "suffix": " c", "cato": {"context": context}}
    assert (await single.post(body)).status == 200
    sent = single.fake.requests[-1].body
    assert sent["prompt"].count("<|fim_middle|>") == 1
    assert sent["prompt"].count("<|fim_prefix|>") == 1
    assert "other.py" in sent["prompt"]
    assert not {"suffix", "cato"} & sent.keys()


@pytest.mark.parametrize("stream", [False, True])
async def test_response_headers(single: Site, stream: bool) -> None:
    body = {"prompt": "x", "stream": stream}
    await single.post(body)
    answer = await single.post(body, x_request_id="r-1", x_cato_task="completion")
    assert all(name in answer.headers for name in HEADERS)
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.headers["x-cato-replica"] == "static-1"
    assert float(answer.headers["x-cato-queue-ms"]) >= 0
    assert 0 <= float(answer.headers["x-cato-load"]) <= 1
    again = await single.post(body, x_cato_task="completion")
    assert float(again.headers["x-cato-predicted-ms"]) > 0
    assert again.headers["x-request-id"] != "r-1"


async def test_headers_wait_for_the_first_token(single: Site) -> None:
    """A chat's opening chunk is no token."""
    await single.fake.change(ttft_ms=300)
    loop = asyncio.get_running_loop()
    for path, body in ((COMPLETIONS, {"prompt": "x"}), (CHAT, {"messages": MESSAGES})):
        began = loop.time()
        async with single.opened({**body, "stream": True, "max_tokens": 2}, path) as response:
            assert loop.time() - began >= 0.3
            assert response.headers["content-type"].startswith("text/event-stream")
            await response.read()


async def test_a_live_request_id_is_not_given_twice(single: Site) -> None:
    await single.fake.change(itl_ms=20)
    body = {"prompt": "x", "stream": True, "max_tokens": 20}
    async with single.opened(body, x_request_id="twice") as first:
        refused = await single.post(body, x_request_id="twice")
        assert refused.status == 400
        assert refused.error["param"] == "x-request-id"
        assert Answer(200, {}, await first.read()).events[-1] == "[DONE]"
    assert (await single.post(body, x_request_id="twice")).status == 200


async def test_bodies_in_pieces_and_compressed(single: Site) -> None:
    data = json.dumps({"prompt": "x"}).encode()

    async def pieces() -> Any:
        for byte in data:
            yield bytes([byte])

    assert (await single.call("POST", COMPLETIONS, data=pieces())).status == 200
    answer = await single.call(
        "POST", COMPLETIONS, data=gzip.compress(data), headers={"content-encoding": "gzip"}
    )
    assert answer.status == 200


async def direct(site: Site, path: str, body: dict[str, Any], request_id: str = "same") -> Answer:
    """The replica's own answer, without the gateway."""
    headers = {"x-request-id": request_id}
    async with site.http.post(site.fake.url + path, json=body, headers=headers) as response:
        return Answer(response.status, response.headers, await response.read())


def plain(answer: Answer) -> list[dict[str, Any]]:
    """Without what differs between two runs, and the place of the fingerprint, which moves to the
    usage chunk where usage is asked for."""
    return [{**chunk, "created": 0, "system_fingerprint": None} for chunk in answer.chunks]
