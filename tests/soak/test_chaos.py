"""Replicas die, stall and lie for minutes; every request ends once, with its whole text or by name.

`CATO_CHAOS_S` sets the seconds, `CATO_CHAOS_SEED` repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import orjson
import pytest

from cato_backend.wire import sse
from tests.contract.lsp.backends import gateway
from tests.fakes.vllm import FakeVllm, Fault, FaultKind, Script

SECONDS = float(os.environ.get("CATO_CHAOS_S", "300"))
SEED = int(os.environ.get("CATO_CHAOS_SEED", "1"))
CLIENTS = 24
REPLY = " ".join(f"word{number}" for number in range(60))
NAMED = {"replica_failed", "no_replica", "expired", "overloaded", "superseded"}
CALM = Script(reply=REPLY, ttft_ms=5, itl_ms=4)
FAULTS = [kind for kind in FaultKind if kind is not FaultKind.STALL]


async def one_request(session: aiohttp.ClientSession, url: str, chance: random.Random) -> str:
    """How it ended."""
    body = {"prompt": "Tell: ", "max_tokens": 400, "stream": True}
    headers = {"x-slo-ttft-ms": "20000", "x-cato-session": f"s{chance.randrange(6)}"}
    if chance.random() < 0.2:
        return await _cancelled(session, url, body, headers, chance)
    async with session.post(f"{url}/v1/completions", json=body, headers=headers) as response:
        if response.status != 200:
            return str((await response.json())["error"]["code"])
        return _outcome(await response.read())


async def _cancelled(
    session: aiohttp.ClientSession,
    url: str,
    body: dict[str, object],
    headers: dict[str, str],
    chance: random.Random,
) -> str:
    try:
        async with asyncio.timeout(chance.uniform(0.001, 0.1)):
            async with session.post(f"{url}/v1/completions", json=body, headers=headers) as found:
                await found.read()
    except TimeoutError:
        return "closed"
    return "closed"


def _outcome(data: bytes) -> str:
    events = sse.EventReader().feed(data)
    assert [event.data for event in events].count(sse.DONE) == 1
    assert events[-1].data == sse.DONE
    text, finish = "", None
    for event in events[:-1]:
        chunk = orjson.loads(event.data)
        if "error" in chunk:
            return str(chunk["error"]["code"])
        for choice in chunk["choices"]:
            text += choice["text"]
            finish = choice["finish_reason"] or finish
    assert finish is not None
    assert text.strip() == REPLY, text
    return "whole"


async def break_things(fakes: list[FakeVllm], chance: random.Random) -> None:
    """One fake at a time fails some requests, or refuses connections for a while."""
    while True:
        fake = chance.choice(fakes)
        if chance.random() < 0.2:
            await fake.change(listening=False)
            await asyncio.sleep(chance.uniform(0.5, 4))
            await fake.follow(CALM)
        else:
            fault = Fault(chance.choice(FAULTS), after_tokens=chance.randrange(60), times=3)
            await fake.change(fault=fault)
        await asyncio.sleep(chance.uniform(0.1, 1))


@pytest.mark.timeout(SECONDS * 2 + 120)
async def test_every_request_ends_once_whole_or_by_name(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(FakeVllm(CALM)) for _ in range(3)]
        others = [part for fake in fakes[1:] for part in ("--replica", fake.url)]
        url = await stack.enter_async_context(gateway(fakes[0], tmp_path, *others))
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def client(number: int) -> None:
            own = random.Random(f"{SEED} {number}")
            while True:
                outcomes[await one_request(session, url, own)] += 1

        breaking = asyncio.create_task(break_things(fakes, chance))
        clients = [asyncio.create_task(client(number)) for number in range(CLIENTS)]
        done, _ = await asyncio.wait(
            [breaking, *clients], timeout=SECONDS, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in (breaking, *clients):
            task.cancel()
        await asyncio.gather(*clients, breaking, return_exceptions=True)
        for task in done:
            task.result()
        for fake in fakes:
            await fake.follow(CALM)
            await fake.wait_until(lambda state: state.running == 0)
        assert await one_request(session, url, random.Random(1)) in {"whole", "closed"}
    print(f"\n{SECONDS:.0f} s, {sum(outcomes.values())} requests: {dict(outcomes)}")
    assert outcomes["whole"] > 0
    assert set(outcomes) <= NAMED | {"whole", "closed"}
