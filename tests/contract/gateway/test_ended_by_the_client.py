"""Cancellation by name, by disconnect and by a newer request: queued, before the first token, in
mid-stream. The engine's own counters prove that nothing goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.contract.gateway.conftest import BOB
from tests.contract.gateway.site import CHAT, DONE, Answer, Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

LONG = {"prompt": "x", "stream": True, "max_tokens": 2000}
WHOLE = {**LONG, "stream": False}
DOCUMENT = {"x_cato_session": "s", "x_cato_document": "d", "x_cato_supersede": 1}


@asynccontextmanager
async def occupied(site: Site) -> AsyncGenerator[None]:
    """A request of somebody else has the only slot."""
    await site.fake.change(ttft_ms=60_000)
    running = asyncio.create_task(site.post(LONG, x_request_id="occupant"))
    await site.fake.wait_until(lambda state: state.running == 1)
    try:
        yield
    finally:
        await site.cancel("occupant")
        await running


async def running(site: Site, count: int = 1) -> None:
    await site.fake.wait_until(lambda state: state.running == count)


async def aborted(site: Site) -> None:
    await site.fake.wait_until(lambda state: state.aborted == 1 and state.running == 0)


# -- by name -------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [LONG, WHOLE])
async def test_cancelled_by_name_while_queued(narrow: Site, body: dict[str, Any]) -> None:
    async with occupied(narrow):
        asking = asyncio.create_task(narrow.post(body, x_request_id="queued"))
        await narrow.wait_total("cato_requests_waiting", 1)
        assert (await narrow.cancel("queued")).status == 200
        ends_as_cancelled(await asking, body)
        assert await narrow.total("cato_requests_waiting") == 0
        assert len(narrow.fake.requests) == 1


@pytest.mark.parametrize("body", [LONG, WHOLE])
async def test_cancelled_by_name_before_the_first_token(single: Site, body: dict[str, Any]) -> None:
    await single.fake.change(ttft_ms=60_000)
    asking = asyncio.create_task(single.post(body, x_request_id="early"))
    await running(single)
    assert (await single.cancel("early")).status == 200
    ends_as_cancelled(await asking, body)
    await aborted(single)


def ends_as_cancelled(answer: Answer, body: dict[str, Any]) -> None:
    if body["stream"]:
        assert answer.status == 200
        assert answer.events == [DONE]
    else:
        assert answer.status == 499
        assert answer.error["code"] == "cancelled"


@pytest.mark.parametrize("reason", ["enough", "typed", "closed"])
async def test_cancelled_by_name_in_mid_stream_the_connection_is_kept(
    single: Site, reason: str
) -> None:
    await single.fake.change(itl_ms=5)
    connections = Connections()
    async with aiohttp.ClientSession(trace_configs=[connections.trace]) as http:
        headers = {"x-request-id": "mid"}
        url = f"{single.url}/v1/completions"
        async with http.post(url, json=LONG, headers=headers) as response:
            await response.content.readuntil(b"\n\n")
            cancelled = await single.cancel("mid", reason)
            assert cancelled.json["reason"] == reason
            rest = await response.read()
        assert rest.endswith(b"data: [DONE]\n\n")
        assert b'"error"' not in rest
        await aborted(single)
        await single.fake.change(itl_ms=0)
        async with http.post(url, json={"prompt": "again"}) as response:
            assert response.status == 200
    assert connections.made == 1


class Connections:
    """Counts the connections that a client makes."""

    def __init__(self) -> None:
        self.made = 0
        self.trace = aiohttp.TraceConfig()
        self.trace.on_connection_create_end.append(self._count)

    async def _count(self, *_: object) -> None:
        self.made += 1


async def test_only_its_own_tenant_ends_a_request(narrow: Site) -> None:
    await narrow.fake.change(ttft_ms=60_000)
    asking = asyncio.create_task(narrow.post(LONG, x_request_id="alice-s"))
    await running(narrow)
    bob = {"authorization": f"Bearer {BOB}"}
    path = "/v1/requests/alice-s/cancel"
    refused = await narrow.call("POST", path, json={}, headers=bob)
    assert refused.status == 404
    assert await narrow.total("cato_requests_running") == 1
    assert (await narrow.cancel("alice-s")).status == 200
    await asking


async def test_what_cannot_be_cancelled(single: Site) -> None:
    unknown = await single.cancel("nobody-s")
    assert (unknown.status, unknown.error["param"]) == (404, "id")
    bad = await single.cancel("nobody-s", "bored")
    assert (bad.status, bad.error["param"]) == (400, "reason")


# -- by disconnect -------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [LONG, WHOLE])
async def test_gone_while_queued(narrow: Site, body: dict[str, Any]) -> None:
    async with occupied(narrow):
        asking = asyncio.create_task(narrow.post(body))
        await narrow.wait_total("cato_requests_waiting", 1)
        asking.cancel()
        await narrow.wait_total("cato_requests_waiting", 0)
        assert len(narrow.fake.requests) == 1


@pytest.mark.parametrize("body", [LONG, WHOLE])
async def test_gone_before_the_first_token(single: Site, body: dict[str, Any]) -> None:
    await single.fake.change(ttft_ms=60_000)
    asking = asyncio.create_task(single.post(body))
    await running(single)
    asking.cancel()
    await aborted(single)


@pytest.mark.parametrize("path", ["/v1/completions", CHAT])
async def test_gone_in_mid_stream(single: Site, path: str) -> None:
    await single.fake.change(itl_ms=5)
    before = single.fake.state.generated_tokens
    body = {**LONG, "messages": [{"role": "user", "content": "x"}]}
    async with single.opened(body, path) as response:
        await response.content.readuntil(b"\n\n")
        response.close()
        await aborted(single)
        generated = single.fake.state.generated_tokens - before
    assert generated < 2000


async def test_openai_s_client_closes_a_stream(single: Site) -> None:
    await single.fake.change(itl_ms=5)
    async with single.openai() as client:
        stream = await client.completions.create(
            model="cato", prompt="x", max_tokens=2000, stream=True
        )
        async for _ in stream:
            break
        await stream.close()
        await aborted(single)


# -- by a newer request --------------------------------------------------------------------------


async def test_superseded_while_queued(narrow: Site) -> None:
    async with occupied(narrow):
        older = asyncio.create_task(narrow.post(LONG, **DOCUMENT))
        await narrow.wait_total("cato_requests_waiting", 1)
        newer = asyncio.create_task(narrow.post(LONG, **DOCUMENT, x_request_id="newer"))
        refused = await older
        assert refused.status == 409
        assert refused.error["code"] == "superseded"
        assert await narrow.total("cato_requests_waiting") == 1
        await narrow.cancel("newer")
        await newer


async def test_superseded_before_the_first_token(single: Site) -> None:
    await single.fake.change(ttft_ms=60_000)
    older = asyncio.create_task(single.post(WHOLE, **DOCUMENT))
    await running(single)
    await single.fake.change(ttft_ms=0)
    newer = await single.post({"prompt": "y"}, **DOCUMENT)
    assert (await older).status == 409
    assert newer.status == 200
    await aborted(single)


async def test_superseded_in_mid_stream(single: Site) -> None:
    await single.fake.change(itl_ms=5)
    async with single.opened(LONG, **DOCUMENT) as response:
        first = await response.content.readuntil(b"\n\n")
        newer = await single.post({"prompt": "y"}, **DOCUMENT)
        older = Answer(200, {}, first + await response.read())
    assert newer.status == 200
    assert older.chunks[-1]["error"]["code"] == "superseded"
    await aborted(single)


async def test_what_a_newer_request_leaves_alone(narrow: Site) -> None:
    """Another token, session or document, one that does not ask for it, one without a document."""
    async with occupied(narrow):
        held = asyncio.create_task(narrow.post(LONG, **DOCUMENT, x_request_id="held"))
        await narrow.wait_total("cato_requests_waiting", 1)
        others: list[dict[str, Any]] = [
            {"authorization": f"Bearer {BOB}"},
            {"x_cato_session": "other"},
            {"x_cato_document": "other"},
            {"x_cato_supersede": 0},
        ]
        for count, change in enumerate(others):
            headers = DOCUMENT | change | {"x_request_id": f"other-{count}"}
            asking = asyncio.create_task(narrow.post(LONG, **headers))
            await narrow.wait_total("cato_requests_waiting", 2)
            asking.cancel()
            await narrow.wait_total("cato_requests_waiting", 1)
        await narrow.cancel("held")
        assert (await held).status == 200


async def test_a_document_needs_no_session(single: Site) -> None:
    await single.fake.change(ttft_ms=60_000)
    asking = [
        asyncio.create_task(single.post(LONG, x_cato_supersede=1, x_request_id=name))
        for name in ("a", "b")
    ]
    await running(single, 2)
    for name in ("a", "b"):
        assert (await single.cancel(name)).status == 200
    assert [answer.status for answer in await asyncio.gather(*asking)] == [200, 200]
