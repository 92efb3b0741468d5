"""Proxies, other servers, tokens that change: a suggestion where there is one, else the truth."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target
from cato_lsp.backend.failures import Unreachable
from tests.contract.gateway.site import eventually
from tests.contract.lsp.odd_backend import CHUNK, END, LISTING, OddBackend, error, page, stream
from tests.contract.lsp.raw_client import RawEditor, raw_client

SAMPLE = "def add(a, b):\n    return "
COMPLETIONS = "/v1/completions"


Connect = Callable[..., Awaitable[RawEditor]]


@pytest.fixture
async def connect(shared_server: tuple[str, int]) -> AsyncIterator[Connect]:
    """Connects an editor with these settings; it is in this state then."""
    async with AsyncExitStack() as stack:

        async def connected(settings: dict[str, Any], state: str = "ready") -> RawEditor:
            editor = await stack.enter_async_context(raw_client(shared_server))
            await editor.start(settings, state)
            return editor

        yield connected


@pytest.fixture
async def odd() -> AsyncIterator[OddBackend]:
    async with OddBackend() as backend:
        yield backend


@pytest.mark.parametrize(
    "reply",
    [
        page,
        lambda: web.Response(text=""),
        lambda: stream(done=False),
        lambda: stream(),
        lambda: stream({"choices": []}),
        lambda: page(502),
        lambda: web.Response(body=b"\xff\xfe", content_type="text/event-stream"),
    ],
    ids=["page", "empty", "empty stream", "only its end", "no choice", "page of an error", "bytes"],
)
async def test_what_is_no_answer_is_not_remembered_as_one(
    connect: Connect, odd: OddBackend, reply: Callable[[], web.Response]
) -> None:
    odd.replies[COMPLETIONS] = reply
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    assert await editor.inline(1, 11, automatic=True) is None
    del odd.replies[COMPLETIONS]
    await editor.ready()
    assert await editor.inline(1, 11, automatic=True) == "a + b"


@pytest.mark.parametrize(
    "chunks",
    [
        ({**CHUNK, "error": None}, END),
        (None, CHUNK, None, END),
        ({"choices": [None]}, CHUNK, END),
        ({"choices": None}, {"choices": {}}, {"choices": ["x"]}, CHUNK, END),
        (CHUNK, {"choices": [], "usage": {"prompt_tokens_details": "?"}}),
        ({"choices": [{"text": None}]}, {"choices": [{"text": 7, "logprobs": 7}]}, CHUNK, END),
        ({"choices": [{"text": "a + b\n", "logprobs": {"tokens": [None]}}]}, END),
    ],
)
async def test_odd_chunks_lose_nothing(connect: Connect, odd: OddBackend, chunks: Any) -> None:
    odd.replies[COMPLETIONS] = lambda: stream(*chunks)
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) == "a + b"


async def test_an_answer_that_comes_whole_is_shown(connect: Connect, odd: OddBackend) -> None:
    whole = {"choices": [{"text": "a + b\n", "finish_reason": "stop"}]}
    odd.replies[COMPLETIONS] = lambda: web.json_response(whole)
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) == "a + b"


async def test_what_broke_off_is_shown_and_asked_for_again(
    connect: Connect, odd: OddBackend
) -> None:
    fragment = {"choices": [{"text": "a +", "finish_reason": None}]}
    odd.replies[COMPLETIONS] = lambda: stream(fragment, done=False)
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    assert await editor.inline(1, 11, automatic=True) == "a +"
    del odd.replies[COMPLETIONS]
    editor.type("a", 1, 11, 2)
    assert len(odd.bodies) == 1
    await editor.inline(1, 12, automatic=True)
    assert len(odd.bodies) == 2


async def test_an_empty_document_asks_nothing(connect: Connect, odd: OddBackend) -> None:
    editor = await connect({"backend": {"url": odd.url}})
    editor.open("")
    assert await editor.inline(0, 0) is None
    assert await editor.inline(0, 0, automatic=True) is None
    editor.type("x = ", 0, 0, 2)
    assert await editor.inline(0, 4) == "a + b"
    assert [body["prompt"] for body in odd.bodies] == ["x = "]


@pytest.mark.parametrize(
    ("status", "state"), [(401, "unauthorized"), (403, "unauthorized"), (404, "unreachable")]
)
async def test_a_refusal_that_holds_for_all_requests_changes_the_status(
    connect: Connect, odd: OddBackend, status: int, state: str
) -> None:
    """Also where `/health` and `/v1/models` go on as if nothing were wrong."""
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    odd.replies[COMPLETIONS] = lambda: error(status, "not with this token")
    assert await editor.inline(1, 11) is None
    assert (await editor.status())["state"] == state
    assert "not with this token" in (await editor.status())["message"]
    # A look has been made since, and found the same.
    await eventually(lambda bodies: len(bodies) >= 2, _bodies(odd))
    assert (await editor.status())["state"] == state
    del odd.replies[COMPLETIONS]
    await editor.ready()
    assert await editor.inline(1, 11) == "a + b"


def _bodies(odd: OddBackend) -> Callable[[], Awaitable[list[Any]]]:
    async def bodies() -> list[Any]:
        return list(odd.bodies)

    return bodies


async def test_a_backend_that_moved_is_named(connect: Connect, odd: OddBackend) -> None:
    async with OddBackend() as gate:
        for path in ("/health", "/v1/models", COMPLETIONS):
            headers = {"location": f"{odd.url}{path}"}
            gate.replies[path] = lambda headers=headers: web.Response(status=301, headers=headers)
        settings = {"backend": {"url": gate.url}}
        editor = await connect(settings, "unreachable")
        message = (await editor.status())["message"]
        assert f"set backend.url to {odd.url}" in message


async def test_a_page_to_sign_in_is_named(connect: Connect, odd: OddBackend) -> None:
    for path in ("/health", "/v1/models", COMPLETIONS):
        headers = {"location": "/login?next=/"}
        odd.replies[path] = lambda headers=headers: web.Response(status=302, headers=headers)
    settings = {"backend": {"url": odd.url}}
    editor = await connect(settings, "unreachable")
    message = (await editor.status())["message"]
    assert "sign-in page" in message
    assert f"{odd.url}/login" in message


async def test_a_redirect_that_keeps_the_method_is_followed(
    connect: Connect, odd: OddBackend
) -> None:
    redirect = {"location": "/elsewhere"}
    odd.replies[COMPLETIONS] = lambda: web.Response(status=307, headers=redirect)
    odd.replies["/elsewhere"] = lambda: stream(CHUNK, END)
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) == "a + b"


@pytest.mark.parametrize("url", ["{}/v1", "{}/v1/", "  {}\n", "{}/v1/completions", "{}/"], ids=repr)
async def test_what_can_be_mended_in_an_address_is(
    connect: Connect, odd: OddBackend, url: str
) -> None:
    backend = {"url": url.format(odd.url), "token": "  s3cret\r\n"}
    editor = await connect({"backend": backend})
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) == "a + b"
    assert set(odd.tokens) == {"Bearer s3cret"}


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ({"url": "http://[::1:8710"}, "backend.url must be the address of a server"),
        ({"url": "http://localhost\N{FULLWIDTH COLON}8710"}, "backend.url must be the address"),
        ({"url": "localhost:8710"}, "such as http://localhost:8000"),
        ({"url": "http://127.0.0.1:99999"}, "backend.url must be the address of a server"),
        ({"url": "http://no-such-host.invalid:8710"}, "its name cannot be resolved"),
        ({"url": f"http://{'a' * 70}.example:8710"}, "its name cannot be resolved"),
        ({"url": "http://127.0.0.1:1", "token": "s3\ncret"}, "backend.token must be a token"),
    ],
)
async def test_what_cannot_be_mended_is_named(
    connect: Connect, backend: dict[str, str], words: str
) -> None:
    editor = await connect({"backend": backend}, "unreachable")
    assert words in (await editor.status())["message"]
    assert "cret" not in (await editor.status())["message"]


def _as_text(value: object) -> Callable[[], web.Response]:
    return lambda: web.Response(text=f"\n{json.dumps(value)}", content_type="text/plain")


async def test_json_is_read_whatever_its_type_is_said_to_be(
    connect: Connect, odd: OddBackend
) -> None:
    odd.replies["/v1/models"] = _as_text(LISTING)
    odd.replies[COMPLETIONS] = _as_text(CHUNK)
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) == "a + b"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            lambda: web.Response(text="{", content_type="application/json"),
            "does not answer as an OpenAI server",
        ),
        (lambda: error(404, "Not Found"), "/v1/models does not exist (404): check backend.url"),
    ],
)
async def test_a_server_without_models_is_named(
    connect: Connect, odd: OddBackend, reply: Callable[[], web.Response], words: str
) -> None:
    odd.replies["/v1/models"] = reply
    editor = await connect({"backend": {"url": odd.url}}, "unreachable")
    assert words in (await editor.status())["message"]


async def test_a_server_of_chats_alone_is_named(connect: Connect, odd: OddBackend) -> None:
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    odd.replies[COMPLETIONS] = lambda: error(404, "Not Found")
    assert await editor.inline(1, 11) is None
    told = await editor.until(lambda message: "chats" in str(message.get("params")))
    assert f"{odd.url} offers no completions (/v1/completions: Not Found)" in str(told)


async def test_requests_that_all_fail_change_the_status_until_one_does_not(
    connect: Connect, odd: OddBackend
) -> None:
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    odd.replies[COMPLETIONS] = lambda: error(500, "out of memory")
    for _ in range(2):
        assert await editor.inline(1, 11) is None
    assert (await editor.status())["message"] == "ready"
    assert await editor.inline(1, 11) is None
    status = await editor.status()
    assert (status["state"], status["message"]) == (
        "busy",
        "the latest requests failed: out of memory",
    )
    del odd.replies[COMPLETIONS]
    assert await editor.inline(1, 11) == "a + b"
    assert (await editor.status())["message"] == "ready"


async def test_the_environment_s_proxy_is_used_for_other_machines(
    odd: OddBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", odd.url.removeprefix("http://"))
    far = "http://gpu.example:8710"
    async with BackendClient(Target(far, None, Origin.SETTINGS)) as client:
        assert (await client.model()).name == "model"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with BackendClient(Target(odd.url, None, Origin.SETTINGS)) as client:
        assert (await client.model()).name == "model"
    async with BackendClient(Target(far, None, Origin.SETTINGS)) as client:
        with pytest.raises(Unreachable, match="NO_PROXY"):
            await client.model()
    monkeypatch.setenv("no_proxy", "example")
    async with BackendClient(Target(far, None, Origin.SETTINGS)) as client:
        with pytest.raises(Unreachable, match="cannot be resolved"):
            await client.model()


async def test_a_page_in_place_of_the_models_is_named(connect: Connect, odd: OddBackend) -> None:
    odd.replies["/health"] = odd.replies["/v1/models"] = page
    settings = {"backend": {"url": odd.url}}
    editor = await connect(settings, "unreachable")
    assert "does not answer as an OpenAI server" in (await editor.status())["message"]


async def test_the_status_names_the_model_and_no_latency_of_a_broken_connection(
    connect: Connect, odd: OddBackend
) -> None:
    described = {"fim_order": "prefix_first", "parameters": 494_000_000}
    entry = {"id": "cato", "root": "Qwen2.5-Coder-0.5B", "cato": described}
    odd.replies["/v1/models"] = lambda: web.json_response({"data": [entry]})
    editor = await connect({"backend": {"url": odd.url}})
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) == "a + b"
    status = await editor.status()
    assert (status["model"], status["modelParameters"]) == ("Qwen2.5-Coder-0.5B", 494_000_000)
    assert "serve a larger code model" in status["modelAdvice"]
    assert status["latencyMs"] > 0
    odd.replies[COMPLETIONS] = lambda: error(401, "not this token")
    assert await editor.inline(1, 4) is None
    status = await editor.status()
    assert status["state"] == "unauthorized"
    assert status["latencyMs"] is status["load"] is status["model"] is None
