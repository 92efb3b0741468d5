"""Bad input gets a 4xx in OpenAI's error shape that names the field, and the next request works."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.contract.gateway.site import CHAT, COMPLETIONS, Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

FINE = {"prompt": "x"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": ["a"], "suffix": "b"}, "prompt"),
        ({**FINE, "model": 5}, "model"),
        ({**FINE, "model": ""}, "model"),
        ({**FINE, "max_tokens": -1}, "max_tokens"),
        ({**FINE, "max_tokens": 0}, "max_tokens"),
        ({**FINE, "max_tokens": 1.5}, "max_tokens"),
        ({**FINE, "max_tokens": True}, "max_tokens"),
        ({**FINE, "max_tokens": "9"}, "max_tokens"),
        ({**FINE, "max_tokens": 5000}, "max_tokens"),
        ({**FINE, "max_tokens": 10**30}, "max_tokens"),
        ({**FINE, "temperature": 3}, "temperature"),
        ({**FINE, "temperature": "hot"}, "temperature"),
        ({**FINE, "top_p": 0}, "top_p"),
        ({**FINE, "n": 0}, "n"),
        ({**FINE, "stream": "yes"}, "stream"),
        ({**FINE, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({**FINE, "stop": 7}, "stop"),
        ({**FINE, "suffix": 7}, "suffix"),
        ({**FINE, "cato": {"contexts": []}}, "cato.contexts"),
        ({**FINE, "cato": {"context": [{"path": "a"}]}}, "cato.context[0].text"),
    ],
)
async def test_a_bad_completion_body_is_refused_by_field(
    single: Site, body: dict[str, Any], field: str
) -> None:
    await refused(single, COMPLETIONS, body, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"content": "hello"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}], "max_completion_tokens": -1}, "max_completion_tokens"),
    ],
)
async def test_a_bad_chat_body_is_refused_by_field(
    single: Site, body: dict[str, Any], field: str
) -> None:
    await refused(single, CHAT, body, field)


async def refused(site: Site, path: str, body: dict[str, Any], field: str) -> None:
    answer = await site.call("POST", path, data=json.dumps(body))
    assert answer.status == 400
    assert answer.error["param"] == field
    assert field in answer.error["message"]
    assert answer.error["type"] == "invalid_request_error"
    assert site.fake.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-cato-task", "gossip"),
        ("x-cato-task", ""),
        ("x-slo-ttft-ms", "soon"),
        ("x-slo-ttft-ms", "0"),
        ("x-slo-ttft-ms", "-5"),
        ("x-slo-ttft-ms", "nan"),
        ("x-slo-ttft-ms", "inf"),
        ("x-slo-ttft-ms", "1e300"),
        ("x-slo-e2e-ms", "-1"),
        ("x-slo-e2e-ms", "NaN"),
        ("x-cato-session", "s" * 201),
        ("x-cato-session", "two words"),
        ("x-cato-document", "d" * 201),
        ("x-cato-workflow", "w" * 201),
        ("x-cato-supersede", "yes"),
        ("x-request-id", "r" * 201),
        ("x-request-id", "\u00fc"),
    ],
)
async def test_a_bad_header_is_refused_by_name(single: Site, name: str, value: str) -> None:
    answer = await single.call("POST", COMPLETIONS, json=FINE, headers={name: value})
    assert answer.status == 400
    assert answer.error["param"] == name
    assert name in answer.error["message"]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'"prompt"', b"[1]", b"null", b"{'prompt': 'x'}", b'{"prompt": NaN}', b"\xff\xfe",
     b'{"prompt": "\\ud800"}', b"[" * 100_000],
)  # fmt: skip
async def test_a_body_that_is_no_json_object(single: Site, data: bytes) -> None:
    for path in (COMPLETIONS, CHAT, "/v1/tasks"):
        answer = await single.call("POST", path, data=data)
        assert answer.status == 400
        assert answer.error["param"] == "body"


async def test_an_unknown_model(single: Site) -> None:
    answer = await single.post({**FINE, "model": "gpt-5"}, x_request_id="mine")
    assert answer.status == 404
    assert answer.error["param"] == "model"
    assert "cato-embedded" in answer.error["message"]
    assert answer.headers["x-request-id"] == "mine"


async def test_a_body_over_the_limit(single: Site) -> None:
    answer = await single.post({"prompt": "x" * (8 * 1024 * 1024)})
    assert answer.status == 413
    assert answer.error["param"] == "body"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_encoded_as_it_says(single: Site, encoding: str) -> None:
    answer = await single.call(
        "POST", COMPLETIONS, data=b'{"prompt": "x"}', headers={"content-encoding": encoding}
    )
    assert answer.status == 400
    assert answer.error["param"] == "body"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", COMPLETIONS), ("HEAD", CHAT), ("OPTIONS", COMPLETIONS), ("PUT", "/v1/models"),
     ("DELETE", "/health"), ("GET", "/v1/requests/x/cancel")],
)  # fmt: skip
async def test_a_wrong_method(single: Site, method: str, path: str) -> None:
    answer = await single.call(method, path)
    assert answer.status == 405
    assert answer.headers["allow"]
    if method != "HEAD":
        assert answer.error["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/", "/v1/embeddings", "/v1/completions/", "/behaviour"])
async def test_an_unknown_path(single: Site, path: str) -> None:
    answer = await single.call("GET", path)
    assert answer.status == 404
    assert answer.error["code"] == "not_found"


async def test_a_prompt_longer_than_the_context(single: Site) -> None:
    answer = await single.post({"prompt": "word " * 5000})
    assert answer.status == 400
    assert answer.error["param"] == "prompt"
    assert answer.error["code"] == "context_length_exceeded"
    chat = await single.post({"messages": [{"role": "user", "content": "word " * 5000}]}, CHAT)
    assert chat.status == 400
    assert chat.error["param"] == "messages"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_infill_longer_than_the_context_is_trimmed(single: Site, stream: bool) -> None:
    """A character a token: denser than anything the gateway has learned from."""
    prefix, suffix = "()" * 9000 + "the end", "the start" + "[]" * 9000
    answer = await single.post({"prompt": prefix, "suffix": suffix, "stream": stream})
    assert answer.status == 200
    sent = single.fake.requests[-1].body["prompt"]
    assert "the end" in sent
    assert "the start" in sent


async def test_what_only_the_engine_refuses_is_passed_on(single: Site) -> None:
    answer = await single.post({**FINE, "logprobs": -1, "stream": True})
    assert answer.status == 400
    assert answer.error["param"] == "logprobs"
    assert len(single.fake.requests) == 1


async def test_a_huge_header(single: Site) -> None:
    headers = {"authorization": "Bearer " + "secret" * 4000}
    answer = await single.call("POST", COMPLETIONS, json=FINE, headers=headers)
    assert answer.status == 431
    assert b"Traceback" not in answer.body
    assert "secret" not in single.serve.said


async def test_bytes_that_are_no_text_in_headers(single: Site) -> None:
    for header in (b"x-request-id: \xff", b"authorization: Bearer \xff", b"x-cato-task: \xfe"):
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
        answer = await raw(single, head + header + b"\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_what_is_no_http(single: Site) -> None:
    answer = await raw(single, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    assert answer.startswith(b"HTTP/1.")
    assert b"400" in answer.split(b"\r\n")[0]


async def test_a_refusal_keeps_the_connection(single: Site) -> None:
    reader, writer = await asyncio.open_connection(*address(single))
    unread = b"x" * 50_000
    refusal = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n" + unread
    for request in (refusal, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        await reader.readexactly(length)
    assert b" 200 " in head.split(b"\r\n")[0]
    writer.close()
    await writer.wait_closed()


async def raw(site: Site, data: bytes) -> bytes:
    """What a connection answers to these bytes until it is closed."""
    reader, writer = await asyncio.open_connection(*address(site))
    writer.write(data)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def address(site: Site) -> tuple[str, int]:
    host, port = site.url.rpartition("//")[2].split(":")
    return host, int(port)
