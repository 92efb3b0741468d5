"""vLLM's sleep mode as the emulator has it, spoken to as replicas are."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from cato_backend.errors import EngineError
from cato_backend.replicas.local import fall_asleep, wake_up
from cato_lab.emulator import Behaviour
from tests.contract.emulator.conftest import Starting

SLEEPS = Behaviour(sleep_mode=True, sleep_ms=20, wake_ms=20)
BODY = {"prompt": [1, 2, 3], "max_tokens": 3}


async def is_sleeping(http: aiohttp.ClientSession, url: str) -> bool:
    async with http.get(f"{url}/is_sleeping") as response:
        return bool((await response.json())["is_sleeping"])


async def test_it_sleeps_and_wakes(start: Starting, http: aiohttp.ClientSession) -> None:
    emulator = await start(behaviour=SLEEPS)
    assert not await is_sleeping(http, emulator.url)
    await fall_asleep(http, emulator.url, "key")
    assert await is_sleeping(http, emulator.url)
    assert emulator.state.slept == 1
    await wake_up(http, emulator.url, "key")
    assert not await is_sleeping(http, emulator.url)


async def test_what_runs_is_waited_for_and_what_comes_is_held(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    emulator = await start(behaviour=SLEEPS)
    url = f"{emulator.url}/v1/completions"
    long = BODY | {"max_tokens": 200, "stream": True}
    async with asyncio.timeout(10), http.post(url, json=long) as running:
        falling = asyncio.create_task(fall_asleep(http, emulator.url, "key"))
        answer = await running.text()
        await falling
    assert answer.count("data: {") >= 200
    assert answer.endswith("data: [DONE]\n\n")
    async with asyncio.timeout(10):
        held = asyncio.create_task(http.post(url, json=BODY))
        assert await is_sleeping(http, emulator.url)
        await wake_up(http, emulator.url, "key")
        async with await held as response:
            assert response.status == 200


async def test_without_the_mode_the_routes_are_not_there(
    start: Starting, http: aiohttp.ClientSession
) -> None:
    emulator = await start()
    with pytest.raises(EngineError, match="/sleep was answered with 404: is its sleep mode on"):
        await fall_asleep(http, emulator.url, "key")
    with pytest.raises(EngineError, match="/wake_up was answered with 404"):
        await wake_up(http, emulator.url, "key")


async def test_a_server_that_is_gone_is_named(http: aiohttp.ClientSession) -> None:
    with pytest.raises(EngineError, match="/sleep was not answered"):
        await fall_asleep(http, "http://127.0.0.1:9", "key")
