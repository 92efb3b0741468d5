"""Time, order and aborts, as they reach a client."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest

from cato_backend.clock import monotonic
from cato_backend.profile_files.profile import EngineLimits
from cato_lab.emulator import Emulator
from cato_lab.emulator.corpus import Corpus, CorpusText, Errors
from tests.contract.emulator.conftest import LAW, Starting

TIMEOUT_S = 10.0


async def metric(http: aiohttp.ClientSession, url: str, name: str) -> float:
    async with http.get(f"{url}/metrics") as response:
        found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", await response.text(), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


async def until(
    http: aiohttp.ClientSession, emulator: Emulator, running: int, waiting: int
) -> None:
    """Returns once the gauges say so."""
    wanted = {"vllm:num_requests_running": running, "vllm:num_requests_waiting": waiting}
    async with asyncio.timeout(TIMEOUT_S):
        for name, value in wanted.items():
            while await metric(http, emulator.url, name) != value:
                pass


async def ask(http: aiohttp.ClientSession, emulator: Emulator, **body: object) -> float:
    """How long the answer took, in seconds."""
    began = monotonic()
    async with http.post(f"{emulator.url}/v1/completions", json=body) as response:
        assert response.status == 200
        await response.read()
    return monotonic() - began


async def test_an_answer_is_not_there_before_its_time(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    emulator = await start(speed=2.0)
    prompt = list(range(1000, 2000))
    took = await ask(http, emulator, prompt=prompt, max_tokens=5)
    due = (LAW.seconds(1000, 1, 1000) + 4 * LAW.seconds(1, 1, 1000)) / 2
    assert took > due - 0.001, "the event loop rounds to milliseconds"
    assert await metric(http, emulator.url, "cato_emulate_step_lateness_seconds_count") == 5


async def test_the_urgent_run_first(start: Starting, http: aiohttp.ClientSession) -> None:
    emulator = await start(EngineLimits(max_num_seqs=1))
    ended: list[int] = []

    async def one(priority: int) -> None:
        await ask(http, emulator, prompt="x", max_tokens=20, priority=priority)
        ended.append(priority)

    body = {"prompt": "x", "max_tokens": 30_000}
    first = asyncio.create_task(ask(http, emulator, **body))
    await until(http, emulator, 1, 0)
    others = [asyncio.create_task(one(priority)) for priority in (9, 5, -1)]
    await until(http, emulator, 1, 3)
    first.cancel()
    await asyncio.gather(*others)
    assert ended == [-1, 5, 9]


@pytest.mark.parametrize(("threshold", "order"), [(256, ["short", "long"]), (0, ["long", "short"])])
async def test_a_short_prompt_waits_for_a_long_one_only_without_a_threshold(
    start: Starting, http: aiohttp.ClientSession, threshold: int, order: list[str]
) -> None:
    emulator = await start(EngineLimits(long_prefill_token_threshold=threshold), speed=4.0)
    ended: list[str] = []

    async def one(name: str, tokens: int) -> None:
        await ask(http, emulator, prompt=list(range(tokens)), max_tokens=1)
        ended.append(name)

    first = asyncio.create_task(one("long", 30_000))
    await until(http, emulator, 1, 0)
    await asyncio.gather(first, one("short", 100))
    assert ended == order


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_aborts_what_runs_and_what_waits(
    start: Starting, http: aiohttp.ClientSession, stream: bool
) -> None:
    emulator = await start(EngineLimits(max_num_seqs=1))
    tasks: list[asyncio.Task[float]] = []
    for waiting in range(2):
        body = {"prompt": "x", "max_tokens": 30_000, "stream": stream}
        tasks.append(asyncio.create_task(ask(http, emulator, **body)))
        await until(http, emulator, 1, waiting)
    async with http.get(f"{emulator.url}/load") as response:
        assert await response.json() == {"server_load": 2}
    tasks[1].cancel()
    await until(http, emulator, 1, 0)
    tasks[0].cancel()
    await until(http, emulator, 0, 0)
    assert await metric(http, emulator.url, "vllm:kv_cache_usage_perc") == 0
    generated = await metric(http, emulator.url, "vllm:generation_tokens_total")
    await ask(http, emulator, prompt="x", max_tokens=1)
    assert await metric(http, emulator.url, "vllm:generation_tokens_total") == generated + 1


async def test_what_does_not_fit_the_kv_cache_is_preempted_and_comes_whole_all_the_same(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    emulator = await start(EngineLimits(kv_tokens=320, max_model_len=300))
    answers = [ask(http, emulator, prompt=[9] * 100, max_tokens=150) for _ in range(3)]
    await asyncio.gather(*answers)
    assert await metric(http, emulator.url, "vllm:num_preemptions_total") > 0
    assert await metric(http, emulator.url, "vllm:generation_tokens_total") == 450


async def test_metrics_carry_vllms_names(start: Starting, http: aiohttp.ClientSession) -> None:
    emulator = await start()
    await ask(http, emulator, prompt="word " * 40, max_tokens=3)
    await ask(http, emulator, prompt="word " * 40, max_tokens=3)
    told = {
        name: await metric(http, emulator.url, f"vllm:{name}")
        for name in (
            "num_requests_running",
            "num_requests_waiting",
            "kv_cache_usage_perc",
            "num_preemptions_total",
            "prompt_tokens_total",
            "generation_tokens_total",
            "prefix_cache_queries_total",
            "prefix_cache_hits_total",
            "time_to_first_token_seconds_count",
            "e2e_request_latency_seconds_count",
            "request_queue_time_seconds_count",
            "inter_token_latency_seconds_count",
            "cache_config_info",
        )
    }
    assert list(told.values()) == [0, 0, 0, 0, 160, 6, 160, 64, 2, 2, 2, 4, 1]


async def test_a_corpus_is_continued_with_errors_at_their_rate(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    text = "".join(f"value_{i} = compute({i})\n" for i in range(200))
    before, hole, after = text[:900], text[900:1500], text[1500:]
    prompt = f"<|fim_prefix|><|fim_suffix|>{after}<|fim_middle|>{before}"
    said: dict[float, str] = {}
    for rate in (0.0, 0.2):
        emulator = await start(text=CorpusText(Corpus([text]), Errors(rate, seed=1)))
        url = f"{emulator.url}/v1/completions"
        async with http.post(url, json={"prompt": prompt, "max_tokens": 1000}) as response:
            choice = (await response.json())["choices"][0]
        assert choice["finish_reason"] == "stop"
        said[rate] = choice["text"]
    assert said[0.0] == hole
    lines = zip(said[0.2].splitlines(), hole.splitlines(), strict=True)
    assert 0.2 < sum(one != other for one, other in lines) / len(hole.splitlines()) < 1
