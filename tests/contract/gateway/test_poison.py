"""A request that kills whatever replica begins it, among requests that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cato_lab.emulator import Behaviour, Emulator
from tests.contract.gateway.site import Site
from tests.contract.gateway.test_outliers import fleet, outcome

pytestmark = pytest.mark.asyncio(loop_scope="package")

POISON = "the last words of an engine"
LONG = {"prompt": "tell", "max_tokens": 150, "stream": True}


async def revive(fake: Emulator, after_s: float) -> None:
    """Starts the fake again whenever it has died."""
    while True:
        if not fake.behaviour.listening:
            await asyncio.sleep(after_s)
            await fake.change(listening=True)
        await asyncio.sleep(0.01)


@asynccontextmanager
async def deadly_fleet(folder: Path, replicas: int) -> AsyncGenerator[Site]:
    """Every replica dies of the poison, and is started again a second later."""
    async with fleet(folder, replicas=replicas) as site:
        for fake in site.fakes:
            await fake.follow(Behaviour(deadly=POISON, ttft_ms=20, itl_ms=10))
        reviving = [asyncio.create_task(revive(fake, 1.0)) for fake in site.fakes]
        try:
            yield site
        finally:
            for task in reviving:
                task.cancel()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("replicas", [2, 3])
async def test_it_is_refused_by_name_and_takes_no_other_with_it(
    tmp_path: Path, replicas: int, stream: bool
) -> None:
    async with deadly_fleet(tmp_path, replicas) as site:
        others = [asyncio.create_task(outcome(site, LONG)) for _ in range(10)]
        await site.wait_total("cato_requests_running", 10)
        await asyncio.sleep(0.3)  # So that most have begun.
        answer = await site.post({"prompt": POISON, "stream": stream}, x_slo_ttft_ms=30_000)
        assert answer.status == 422
        assert answer.error["code"] == "replicas_died"
        assert "two replicas died" in answer.error["message"]
        found = await asyncio.gather(*others)
        assert [each.status for each in found] == [200] * 10
        received = [r for fake in site.fakes for r in fake.requests if r.body["prompt"] == POISON]
        assert len(received) == 2


async def test_innocent_requests_that_were_being_started_with_it_are_answered(
    tmp_path: Path,
) -> None:
    async with deadly_fleet(tmp_path, 2) as site:
        for fake in site.fakes:
            await fake.change(ttft_ms=300)
        body = {"prompt": "innocent", "max_tokens": 5, "stream": True}
        asking = [asyncio.create_task(outcome(site, body, x_slo_ttft_ms=30_000)) for _ in range(6)]
        await site.wait_total("cato_requests_running", 6)
        answer = await site.post({"prompt": POISON}, x_slo_ttft_ms=30_000)
        assert answer.error["code"] == "replicas_died"
        assert [each.status for each in await asyncio.gather(*asking)] == [200] * 6
