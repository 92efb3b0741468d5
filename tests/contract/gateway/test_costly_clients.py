"""Clients that cost more than they should: without a token, too slow, too many, or inflated."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import zlib
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from cato_lab.emulator import Behaviour
from tests.contract.gateway.certificate import self_signed
from tests.contract.gateway.conftest import ALICE
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import CHAT, COMPLETIONS, DONE, Site, eventually
from tests.contract.gateway.sockets import Raw, head, raw
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="package")

BEARER = f"Bearer {ALICE}"
STREAM = {"prompt": "x", "stream": True, "max_tokens": 4000}
BOMB = gzip.compress(b'{"prompt": "' + b" " * 64 * 1024 * 1024, 9)


# -- without a token ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"content_length": 5_000_000},
        {"transfer_encoding": "chunked"},
        {"content_length": 5_000_000, "content_encoding": "gzip"},
        {"content_length": 5_000_000, "expect": "100-continue"},
        {"content_length": 5_000_000, "expect": "a-miracle"},
        {"content_length": 10**15},
        {"content_length": 5_000_000, "authorization": "Bearer wrong"},
    ],
)
async def test_the_refusal_of_a_missing_token_comes_before_the_body(
    strict: Site, headers: dict[str, str | int]
) -> None:
    async with raw(strict.url) as client:
        client.send(head("POST", COMPLETIONS, **headers))
        answer, body = await client.response()
        assert answer.startswith("HTTP/1.1 401 ")
        assert json.loads(body)["error"]["code"] == "invalid_api_key"


async def test_a_body_behind_a_refusal_is_not_taken_for_ever(strict: Site) -> None:
    """It is dropped up to the size that a body may have, so that the client sees its answer."""
    async with raw(strict.url) as client:
        client.send(head("POST", COMPLETIONS, transfer_encoding="chunked"))
        await client.response()
        flood = asyncio.create_task(pour(client))
        await client.rest()
        sent = await flood
        assert sent > 8


async def pour(client: Raw) -> int:
    """Mebibytes that could be sent until the connection broke."""
    mebibyte = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    for sent in range(1000):
        client.send(mebibyte)
        try:
            await client.writer.drain()
        except ConnectionError:
            return sent
    raise AssertionError("a gigabyte was taken")


async def test_inflating_a_body_does_not_delay_other_requests(strict: Site) -> None:
    """With a token and without one."""
    loop = asyncio.get_running_loop()
    encoded = {"content-encoding": "gzip"}
    longest_s, ended = 0.0, asyncio.Event()

    async def look() -> None:
        nonlocal longest_s
        while not ended.is_set():
            began = loop.time()
            await strict.call("GET", "/health")
            longest_s = max(longest_s, loop.time() - began)

    looking = asyncio.create_task(look())
    huge = BOMB * 60  # 4 MiB, that would be inflated to 4 GiB.
    for authorization, expected in (("", 401), (BEARER, 413)):
        headers = encoded | {"authorization": authorization}
        for data in (BOMB, huge):
            answer = await strict.call("POST", COMPLETIONS, data=data, headers=headers)
            assert answer.status in (expected, 400), answer.body
    ended.set()
    await looking
    assert longest_s < 0.5


# -- encoded bodies ----------------------------------------------------------------------------

FINE = json.dumps({"prompt": "def f(x):", "max_tokens": 3}).encode()
BARE = zlib.compressobj(wbits=-15)
BARE_DEFLATE = BARE.compress(FINE) + BARE.flush()


SERVED = {
    "gzip": ("gzip", gzip.compress(FINE)),
    "x-gzip": ("x-gzip", gzip.compress(FINE)),
    "in capitals": ("GZIP", gzip.compress(FINE)),
    "zlib": ("deflate", zlib.compress(FINE)),
    "bare deflate": ("deflate", BARE_DEFLATE),
    "identity": ("identity", FINE),
    "none": ("", FINE),
    "much of the same": ("gzip", gzip.compress(FINE + b" " * 900_000)),
}


@pytest.mark.parametrize("name", SERVED)
async def test_an_encoded_body_is_served(strict: Site, name: str) -> None:
    encoding, data = SERVED[name]
    headers = {"content-encoding": encoding}
    answer = await strict.call("POST", COMPLETIONS, data=data, headers=headers)
    assert answer.status == 200
    assert strict.fake.requests[-1].body["prompt"] == "def f(x):"


REFUSED = {
    "bomb": ("gzip", BOMB, 413),
    "bomb of zlib": ("deflate", zlib.compress(b" " * 64 * 1024 * 1024), 413),
    "cut": ("gzip", gzip.compress(FINE)[:-9], 400),
    "more behind": ("gzip", gzip.compress(FINE) + b"more", 400),
    "two bytes": ("gzip", b"\x1f\x8b", 400),
    "one byte": ("deflate", b"\x78", 400),
    "brotli": ("br", FINE, 415),
    "zstd": ("zstd", FINE, 415),
    "twice": ("gzip, gzip", gzip.compress(gzip.compress(FINE)), 415),
    "unknown": ("rot13", FINE, 415),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_encoded_body_is_refused(strict: Site, name: str) -> None:
    encoding, data, status = REFUSED[name]
    for path in (COMPLETIONS, CHAT, "/v1/tasks", "/v1/warm", "/v1/feedback"):
        headers = {"content-encoding": encoding}
        answer = await strict.call("POST", path, data=data, headers=headers)
        assert answer.status == status, answer.body
        assert answer.error["param"] == ("content-encoding" if status == 415 else "body")
        assert ("accept-encoding" in answer.headers) == (status == 415)
    assert strict.fake.requests == []


# -- too slow ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "begun",
    [b"P", b"POST /v1/completions HTTP/1.1\r\n", b"GET /health HTTP/1.1\r\nhost: localhost\r\nx"],
)
async def test_half_a_head_is_given_up(strict: Site, begun: bytes) -> None:
    async with raw(strict.url) as client:
        client.send(begun)
        answer, body = await client.response()
        assert answer.startswith("HTTP/1.1 408 ")
        assert json.loads(body)["error"]["code"] == "request_timeout"
        assert await client.rest() == b""


async def test_a_head_that_trickles_is_given_up(strict: Site) -> None:
    """On a fresh connection, and on one that has served a request."""
    async with raw(strict.url) as fresh, raw(strict.url) as kept:
        kept.send(head("GET", "/health"))
        await kept.response()
        endless = head("GET", "/health", x="y" * 200)
        trickling = [asyncio.create_task(c.trickle(endless, 0.05)) for c in (fresh, kept)]
        for client in (fresh, kept):
            assert (await client.rest()).startswith(b"HTTP/1.1 408 ")
        await asyncio.gather(*trickling)


async def test_a_connection_without_a_request_is_closed(strict: Site) -> None:
    async with raw(strict.url) as silent, raw(strict.url) as kept:
        kept.send(head("GET", "/health"))
        await kept.response()
        assert await silent.rest() == b""
        assert await kept.rest() == b""


@pytest.mark.parametrize("pause_s", [0.05, 60])
@pytest.mark.parametrize("framing", [{"content_length": 5000}, {"transfer_encoding": "chunked"}])
async def test_a_body_that_comes_too_slowly_is_given_up(
    strict: Site, framing: dict[str, str | int], pause_s: float
) -> None:
    async with raw(strict.url) as client:
        client.send(head("POST", COMPLETIONS, authorization=BEARER, **framing) + b"1000\r\n{")
        trickling = asyncio.create_task(client.trickle(b" " * 4000, pause_s))
        answer, body = await client.response()
        assert answer.startswith("HTTP/1.1 408 ")
        assert json.loads(body)["error"]["param"] == "body"
        trickling.cancel()


async def test_a_body_that_comes_steadily_has_its_time(strict: Site) -> None:
    """More than the limit in all, as long as it is more than 16 KiB a second."""
    body = json.dumps({"prompt": "x", "user": "u" * 40_000}).encode()
    async with raw(strict.url) as client:
        client.send(head("POST", COMPLETIONS, authorization=BEARER, content_length=len(body)))
        for start in range(0, len(body), 5000):
            client.send(body[start : start + 5000])
            await asyncio.sleep(0.1)
        answer, _ = await client.response()
        assert answer.startswith("HTTP/1.1 200 ")


async def test_a_client_that_reads_nothing_is_cut(strict: Site) -> None:
    body = json.dumps({**STREAM, "n": 16}).encode()
    async with raw(strict.url) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(head("POST", COMPLETIONS, authorization=BEARER, content_length=len(body)))
        client.send(body)
        await strict.fake.wait_until(lambda state: state.running > 0)
        await strict.fake.wait_until(lambda state: state.running == 0)
    assert strict.fake.aborted


# -- too many ----------------------------------------------------------------------------------


async def test_the_longest_idle_connection_goes_first(strict: Site) -> None:
    async with AsyncExitStack() as stack:
        clients: list[Raw] = []
        for _ in range(9):
            client = await stack.enter_async_context(raw(strict.url))
            client.send(head("GET", "/health"))
            await client.response()
            clients.append(client)
        oldest, *others = clients
        async with asyncio.timeout(0.5):
            assert await oldest.rest() == b""
        for client in others:
            client.send(head("GET", "/health"))
            assert (await client.head()).startswith("HTTP/1.1 200 ")
    assert await strict.total("cato_connections_closed_total") > 0


async def test_connections_beyond_the_limit_are_told_when_to_come_back(tmp_path: Path) -> None:
    config = "[server]\nmax_connections = 2\n"
    await asyncio.sleep(0)
    async with (
        fake_vllm(Behaviour(itl_ms=20)) as fake,
        serving(tmp_path, config=config, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        site = Site(serve, [fake], http)
        async with site.opened(STREAM), site.opened(STREAM), raw(serve.url) as third:
            third.send(head("GET", "/v1/models"))
            answer, body = await third.response()
            assert answer.startswith("HTTP/1.1 503 ")
            assert "retry-after: 1" in answer.lower()
            assert json.loads(body)["error"]["code"] == "too_many_connections"
            assert await third.rest() == b""
        await eventually(lambda answer: answer.status == 200, lambda: site.call("GET", "/health"))


@pytest.mark.parametrize("tls", [False, True])
async def test_newcomers_are_served_though_descriptors_are_few(tmp_path: Path, tls: bool) -> None:
    """300 clients that say nothing, at a limit of 200 descriptors, and in TLS no handshake."""
    certificate, key = self_signed(tmp_path)
    encrypted = ("--tls-cert", str(certificate), "--tls-key", str(key)) if tls else ()
    trust = ssl.create_default_context(cafile=str(certificate)) if tls else None
    async with (
        fake_vllm(Behaviour(itl_ms=20)) as fake,
        serving(tmp_path, *encrypted, replicas=(fake.url,), descriptors=(100, 200)) as serve,
        AsyncExitStack() as stack,
    ):
        assert "file descriptors: at most 200, raised from 100" in serve.said
        connector = aiohttp.TCPConnector(ssl=trust or True)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        site = Site(serve, [fake], http)
        site.url = serve.url.replace("127.0.0.1", "localhost")
        for _ in range(300):
            await stack.enter_async_context(raw(serve.url))
        assert (await site.call("GET", "/health")).status == 200
        async with site.opened({**STREAM, "max_tokens": 50}) as response:
            assert (await response.read()).decode().endswith(f"data: {DONE}\n\n")
        assert "Too many open files" not in serve.said
