"""Mixed load for half an hour, while replicas die, freeze, lie and come back.

`CATO_SOAK_S` sets the seconds, `CATO_SOAK_SEED` repeats a run. Every answer is whole to the token,
or an error that names itself. At the end nothing is left: no descriptor, memory, task or count.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.chaos.engines import Engine, engines
from bench.chaos.faults import KINDS, Place, healed
from bench.chaos.load import ask
from bench.chaos.systems import Running, cato
from tests.soak.clients import CLIENTS, Soak

SECONDS = float(os.environ.get("CATO_SOAK_S", "1800"))
SEED = int(os.environ.get("CATO_SOAK_SEED", "1"))
WARM_S = min(180.0, SECONDS / 4)
"""Until then caches fill, pools grow and the allocator finds its size."""
ENDS_WITHIN_S = 30.0
MORE_MIB, MORE_DESCRIPTORS, MORE_TASKS = 24, 8, 8
"""By which the process may have grown between the end of the warm-up and the end, both idle."""


async def disturb(place: Place) -> None:
    """One kind of fault after the other, in an order of chance."""
    chance = random.Random(SEED)
    while True:
        kind = chance.choice(KINDS)
        chance.shuffle(place.engines)
        async with kind.fault(place):
            await asyncio.sleep(chance.uniform(1, 6))
        await healed(place)
        await asyncio.sleep(chance.uniform(0, 3))


async def metrics(gateway: Running) -> dict[str, float]:
    """Every metric's sum over its labels."""
    found = dict[str, float]()
    async with (
        aiohttp.ClientSession(headers=gateway.headers) as http,
        http.get(f"{gateway.url}/metrics") as response,
    ):
        page = await response.text()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


async def idle(gateway: Running) -> dict[str, float]:
    """The metrics once nothing is queued, running or connected any more. Raises TimeoutError."""
    async with asyncio.timeout(ENDS_WITHIN_S):
        while True:
            found = await metrics(gateway)
            names = ("cato_requests_waiting", "cato_requests_running", "cato_outstanding_tokens")
            # The connection that asks is one.
            if not any(found[name] for name in names) and found["cato_connections"] <= 1:
                return found
            await asyncio.sleep(0.2)


@asynccontextmanager
async def under_load(soak: Soak, place: Place) -> AsyncGenerator[asyncio.Future[object]]:
    """Clients and faults; the future ends with the first of them that fails."""
    tasks = [asyncio.ensure_future(disturb(place))]
    for client, count in CLIENTS:
        tasks += [
            asyncio.ensure_future(client(soak, f"{client.__name__} {number}"))
            for number in range(count)
        ]
    try:
        yield asyncio.ensure_future(asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION))
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await healed(place)
    failed = [each for each in ended if not isinstance(each, asyncio.CancelledError)]
    assert failed == [], failed


async def soaked(soak: Soak, place: Place, gateway: Running, seconds: float) -> dict[str, float]:
    """Returns the metrics, idle again, after `seconds` of load; prints progress every minute."""
    left = seconds
    async with under_load(soak, place) as failure:
        while left > 0 and not failure.done():
            await asyncio.wait([failure], timeout=min(60.0, left))
            left -= 60.0
            mib = (await metrics(gateway))["process_resident_memory_bytes"] / 2**20
            print(f"{max(0, left):.0f} s left, {mib:.0f} MiB, {dict(soak.ends)}", file=sys.stderr)
    return await idle(gateway)


async def serves(soak: Soak, fleet: list[Engine]) -> None:
    """Returns once every replica is in service again. Raises TimeoutError."""
    async with asyncio.timeout(ENDS_WITHIN_S), aiohttp.ClientSession(headers=soak.headers) as http:
        while True:
            await ask(http, soak.url, stream=True)  # What is ejected comes back by a request.
            async with http.get(f"{soak.url}/health") as response:
                states = [each["state"] for each in (await response.json())["replicas"]]
            if states == ["up"] * len(fleet):
                return
            await asyncio.sleep(0.2)


@pytest.mark.timeout(SECONDS + 600)
async def test_nothing_is_lost_and_nothing_is_left(tmp_path: Path) -> None:
    async with engines(3) as fleet:
        with cato(fleet, tmp_path) as gateway:
            soak = Soak(gateway.url, gateway.headers, gateway.others_headers, SEED)
            place = Place(list(fleet), gateway.url, gateway.others_headers, gateway.reload)
            before = await soaked(soak, place, gateway, WARM_S)
            after = await soaked(soak, place, gateway, SECONDS - WARM_S)
            await serves(soak, fleet)
        log = (tmp_path / "cato.log").read_text()
    print(f"\n{SECONDS:.0f} s: {dict(soak.ends)}")
    assert soak.ends["asking", "whole"] > SECONDS
    assert "Traceback" not in log
    assert "never retrieved" not in log
    grown = after["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]
    assert grown < MORE_MIB * 2**20, f"{grown / 2**20:.1f} MiB more"
    assert after["process_open_fds"] <= before["process_open_fds"] + MORE_DESCRIPTORS
    assert after["cato_asyncio_tasks"] <= before["cato_asyncio_tasks"] + MORE_TASKS
