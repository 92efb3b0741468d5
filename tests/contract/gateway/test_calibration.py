"""Replicas that come up are calibrated while they are idle, and at nobody's expense."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from cato_lab.emulator import Behaviour, Emulator
from tests.contract.gateway.odd import Odd, odd_replica
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import Site, eventually
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="package")

RUNNING = "vllm:num_requests_running"
LAST = 2**31 - 1
SLOW_S = 2.5
"""A calibration that a request ends in mid-course takes less than this."""


@asynccontextmanager
async def calibrating(folder: Path, fake: Emulator | Odd) -> AsyncGenerator[Site]:
    """A gateway whose replica has just come up."""
    async with (
        serving(folder, replicas=(fake.url,), calibrate=True) as serve,
        aiohttp.ClientSession() as http,
    ):
        yield Site(serve, [fake] if isinstance(fake, Emulator) else [], http)


def probes(fake: Emulator) -> list[dict[str, Any]]:
    """The bodies of calibration requests."""
    prefix = "calibration-"
    return [
        request.body
        for request in fake.state.requests
        if CIMultiDict(request.headers).get("x-request-id", "").startswith(prefix)
    ]


async def test_a_replica_that_comes_up_is_measured_with_few_short_prompts(tmp_path: Path) -> None:
    async with (
        fake_vllm(Behaviour(ttft_ms=20, itl_ms=5, prefill_ms_per_1k_tokens=50)) as fake,
        calibrating(tmp_path, fake) as site,
    ):
        await site.serve.wait_said("static-1: calibrated in ")
        sent = probes(fake)
        assert len({body["prompt"][:64] for body in sent}) >= 5
        assert all(body["priority"] == LAST for body in sent)
        assert all(body["max_tokens"] <= 64 for body in sent)
        heads = [body["prompt"][:64] for body in sent]
        assert len(set(heads)) < len(heads), "no prompt begins as an earlier one did"
        said = float(site.serve.said.partition("calibrated in ")[2].partition(" s")[0])
        assert said <= 3.1


async def test_prompts_differ_from_run_to_run(tmp_path: Path) -> None:
    async with fake_vllm() as fake:
        for run in ("first", "second"):
            (tmp_path / run).mkdir()
            async with calibrating(tmp_path / run, fake) as site:
                await site.serve.wait_said("static-1: calibrated in ")
        prompts = [body["prompt"][:256] for body in probes(fake)]
    long = [prompt for prompt in prompts if len(prompt) == 256]
    half = len(long) // 2
    assert half
    assert not set(long[:half]) & set(long[half:])


async def test_a_request_ends_it_at_once(tmp_path: Path) -> None:
    async with fake_vllm(Behaviour(itl_ms=100)) as fake, calibrating(tmp_path, fake) as site:
        await fake.wait_until(lambda state: state.running > 0)
        began = time.monotonic()
        answer = await site.post({"prompt": "def add(", "max_tokens": 1})
        assert answer.status == 200
        await fake.wait_until(lambda state: state.aborted > 0 and not state.running)
        assert time.monotonic() - began < SLOW_S
        before = len(probes(fake))
        await site.post({"prompt": "def sub(", "max_tokens": 2})
        assert len(probes(fake)) == before


async def test_no_metric_of_tasks_knows_of_it(tmp_path: Path) -> None:
    async with fake_vllm() as fake, calibrating(tmp_path, fake) as site:
        await site.serve.wait_said("static-1: calibrated in ")
        assert probes(fake)
        for name in (
            "cato_requests_total",
            "cato_ttft_seconds_count",
            "cato_prompt_tokens_total",
            "cato_prediction_bounds_total",
            "cato_requests_of_others",
        ):
            assert await site.total(name) == 0, name


async def test_nothing_is_sent_where_it_is_off(tmp_path: Path) -> None:
    async with (
        fake_vllm() as fake,
        serving(
            tmp_path, replicas=(fake.url,), config="[scheduling]\ncalibrate = false\n"
        ) as serve,
        aiohttp.ClientSession() as http,
    ):
        await Site(serve, [fake], http).post({"prompt": "def add(", "max_tokens": 1})
        assert not probes(fake)


async def test_a_replica_that_others_use_is_left_alone(tmp_path: Path) -> None:
    async with fake_vllm(Behaviour(metric_values={RUNNING: "2"})) as fake:
        async with calibrating(tmp_path, fake) as site:
            await site.post({"prompt": "def add(", "max_tokens": 1})
        assert not probes(fake)


async def test_a_server_that_refuses_is_used_all_the_same(tmp_path: Path) -> None:
    """It is no vLLM, and answers a probe with what is no stream of tokens."""
    async with odd_replica() as odd:
        odd.body = b'{"error": {"message": "no"}}'
        async with calibrating(tmp_path, odd) as site:
            await eventually(lambda calls: calls > 0, lambda: _calls(odd))
            assert "Traceback" not in site.serve.said
            assert (await site.call("GET", "/health")).status == 200


async def _calls(odd: Odd) -> int:
    return odd.calls


async def test_a_server_that_only_sends_text_is_measured_too(tmp_path: Path) -> None:
    """No token ids, no counts before the end, no cached tokens, no metrics."""
    chunk = b'data: {"choices": [{"index": 0, "text": "x", "finish_reason": null}]}\n\n'
    last = b'data: {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}\n\n'
    async with odd_replica() as odd:
        odd.body = 12 * chunk + last + b"data: [DONE]\n\n"
        async with calibrating(tmp_path, odd) as site:
            await site.serve.wait_said("static-1: calibrated in ")
