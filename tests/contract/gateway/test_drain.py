"""The end of `cato serve`: what is under way may finish, and what is cut is told so."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cato_lab.emulator import Behaviour
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import CHAT, COMPLETIONS, DONE, TASKS, Answer, Site
from tests.contract.gateway.sockets import head, raw
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDLESS = {"prompt": "x", "stream": True, "max_tokens": 4000}
NOWHERE = "http://127.0.0.1:9"


@asynccontextmanager
async def running(folder: Path, drain_s: float, script: Behaviour) -> AsyncGenerator[Site]:
    """A gateway of its own before one fake."""
    config = f"[server]\ndrain_s = {drain_s}\n[scheduling]\nmax_running_per_replica = 2\n"
    async with (
        fake_vllm(script) as fake,
        serving(folder, config=config, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        yield Site(serve, [fake], http)


def end(site: Site, number: signal.Signals = signal.SIGTERM) -> None:
    site.serve.process.send_signal(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_under_way_finishes_and_nothing_new_is_taken(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with running(tmp_path, 30, Behaviour(itl_ms=30)) as site:
        body = {**ENDLESS, "max_tokens": 60}
        whole = asyncio.create_task(site.post({**body, "stream": False}))
        async with site.opened(body) as stream:
            await site.fake.wait_until(lambda state: state.running == 2)
            queued = asyncio.create_task(site.post({**body, "max_tokens": 3}))
            await site.wait_total("cato_requests_waiting", 1)
            end(site, number)
            await site.serve.wait_said("draining: 3 requests under way have 30 s")
            await says_that_it_drains(site)
            answer = Answer(200, {}, await stream.read())
        assert answer.chunks[-1]["choices"][0]["finish_reason"] == "length"
        assert (await whole).json["usage"]["completion_tokens"] == 60
        assert (await queued).status == 200
        assert await site.serve.wait_ended(within_s=5) == 0
        assert len(site.fake.requests) == 4, "with the one by which the replica was tried"


async def says_that_it_drains(site: Site) -> None:
    """To load balancers on its health, to clients on anything new; old and new connections."""
    health = await site.call("GET", "/health")
    assert (health.status, health.json["status"]) == (503, "draining")
    assert health.json["message"].startswith("shutting down: ")
    assert (await site.call("GET", "/metrics")).status == 200
    for path in (COMPLETIONS, CHAT, TASKS, "/v1/warm", "/v1/feedback", "/v1/models"):
        refused = await site.post({"prompt": "x"}, path)
        assert refused.status == 503
        assert refused.error["code"] == "shutting_down"
        assert 1 <= int(refused.headers["retry-after"]) <= 30
        assert refused.headers["connection"] == "close"


async def test_a_client_can_still_end_its_own_stream(tmp_path: Path) -> None:
    async with running(tmp_path, 30, Behaviour(itl_ms=30)) as site:
        async with site.opened(ENDLESS, x_request_id="mine") as stream:
            await stream.content.readuntil(b"\n\n")
            end(site)
            await site.serve.wait_said("draining: 1 requests")
            assert (await site.cancel("mine")).status == 200
            assert (await stream.read()).endswith(b"data: [DONE]\n\n")
        assert await site.serve.wait_ended(within_s=5) == 0


@pytest.mark.parametrize("twice", [False, True])
async def test_aborted_requests_get_an_error(tmp_path: Path, twice: bool) -> None:
    """When the time is up, or at once on a second signal."""
    async with running(tmp_path, 60 if twice else 0.5, Behaviour(itl_ms=30)) as site:
        cut = [
            asyncio.create_task(site.post(ENDLESS)),
            asyncio.create_task(site.post({**ENDLESS, "stream": False})),
        ]
        await site.fake.wait_until(lambda state: state.running == 2)
        cut.append(asyncio.create_task(site.post(ENDLESS)))
        await site.wait_total("cato_requests_waiting", 1)
        end(site)
        await site.serve.wait_said("draining: 3 requests")
        if twice:
            end(site, signal.SIGINT)
        assert await site.serve.wait_ended(within_s=6) == 0
        stream, whole, queued = await asyncio.gather(*cut)
        assert stream.status == 200
        assert stream.events[-1] == DONE
        assert json.loads(stream.events[-2])["error"]["code"] == "shutting_down"
        assert [event.count('"error"') for event in stream.events].count(1) == 1
        for refused in (whole, queued):
            assert refused.status == 503
            assert refused.error["code"] == "shutting_down"
            assert refused.headers["retry-after"]
        await site.fake.wait_until(lambda state: state.running == 0)


async def test_a_whole_task_that_is_cut_ends_with_its_own_event(tmp_path: Path) -> None:
    async with running(tmp_path, 0.3, Behaviour(itl_ms=100)) as site:
        unit = {"name": "f", "kind": "function", "text": "def f():\n    return 1\n"}
        body: dict[str, Any] = {"task": "summarization", "language": "python", "units": [unit] * 3}
        async with site.opened(body, TASKS) as stream:
            await stream.content.readuntil(b"\n\n")
            end(site)
            data = await stream.read()
        assert b"event: error\ndata: " in data
        assert b'"code":"shutting_down"' in data
        assert data.endswith(b"data: [DONE]\n\n")
        assert data.count(b"event: error") == 1
        assert await site.serve.wait_ended(within_s=6) == 0


async def test_aborted_queued_requests_get_an_error(tmp_path: Path) -> None:
    """For a first replica, or for the rest of a body."""
    config = "[server]\ndrain_s = 0.3\n"
    async with (
        serving(tmp_path, "--replica", NOWHERE, config=config) as serve,
        aiohttp.ClientSession() as http,
        raw(serve.url) as half,
    ):
        site = Site(serve, [], http)
        half.send(head("POST", COMPLETIONS, content_length=100) + b"{")
        waiting = asyncio.create_task(site.post({"prompt": "x"}, x_slo_ttft_ms=60_000))
        await asyncio.wait([waiting], timeout=0.3)
        end(site)
        answer, body = await half.response()
        assert answer.startswith("HTTP/1.1 503 ")
        assert json.loads(body)["error"]["code"] == "shutting_down"
        assert (await waiting).error["code"] == "shutting_down"
        assert await serve.wait_ended(within_s=6) == 0


async def test_a_client_that_reads_nothing_does_not_delay_the_end(tmp_path: Path) -> None:
    async with running(tmp_path, 0.3, Behaviour()) as site, raw(site.url) as client:
        body = json.dumps({**ENDLESS, "n": 16}).encode()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(head("POST", COMPLETIONS, content_length=len(body)) + body)
        await site.fake.wait_until(lambda state: state.running > 0)
        end(site)
        assert await site.serve.wait_ended(within_s=8) == 0


async def test_with_nothing_under_way_it_ends_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, 60, Behaviour()) as site:
        await site.post({"prompt": "x"})
        end(site)
        assert await site.serve.wait_ended(within_s=4) == 0
        assert "draining" not in site.serve.said
