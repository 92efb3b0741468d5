"""Replicas that misbehave without dying: they hang, answer with errors, or refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import Site
from tests.fakes.vllm import FakeVllm, Script

pytestmark = pytest.mark.asyncio(loop_scope="package")

SERVICE_S = 0.08
"""What a request takes on an idle fake."""
SPEED = Script(ttft_ms=30, itl_ms=5)
ADDED_S = 1.0
REQUESTS = 80
PROFILE = Path(__file__).parents[3] / "profiles" / "l4" / "qwen2.5-coder-1.5b.json"


@asynccontextmanager
async def fleet(
    folder: Path, *arguments: str, replicas: int = 2, config: str = ""
) -> AsyncGenerator[Site]:
    """A gateway of its own: what it learns of its replicas is its own, too."""
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(FakeVllm(SPEED)) for _ in range(replicas)]
        urls = tuple(fake.url for fake in fakes)
        serve = await stack.enter_async_context(
            serving(folder, *arguments, config=config, replicas=urls)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Site(serve, fakes, http)


async def timed(site: Site, body: dict[str, Any], **headers: Any) -> tuple[int, float]:
    """Status and seconds of a whole answer; 0 where its client gave up."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(10):
            answer = await site.post(body, **headers)
    except (TimeoutError, aiohttp.ClientError):
        return 0, loop.time() - began
    whole = answer.status == 200 and b'"error"' not in answer.body
    return (200 if whole else answer.status), loop.time() - began


async def asked(
    site: Site, body: dict[str, Any], requests: int = REQUESTS, rate: float = 20.0, **headers: Any
) -> list[tuple[int, float]]:
    """Requests at a steady rate, whatever becomes of those before."""
    tasks = []
    for _ in range(requests):
        tasks.append(asyncio.create_task(timed(site, body, **headers)))
        await asyncio.sleep(1 / rate)
    return await asyncio.gather(*tasks)
