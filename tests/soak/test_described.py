"""Ten thousand requests made from the server's own description, and as many hardly HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.contract.gateway.described import tried_out
from tests.contract.gateway.malformed import check, mutated
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import Site
from tests.contract.gateway.sockets import raw
from tests.fakes import fake_vllm

REQUESTS = 10_000
EXAMPLES = 250
"""For each operation in one run."""
AT_ONCE = 16
CONFIG = """
[server]
header_timeout_s = 0.5
body_timeout_s = 0.5
keepalive_timeout_s = 0.5
[scheduling]
warm_per_minute = 1000000
"""


@pytest.mark.timeout(3600)
async def test_no_request_makes_the_server_fail_or_hang(tmp_path: Path) -> None:
    async with (
        fake_vllm() as fake,
        serving(tmp_path, config=CONFIG, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        site = Site(serve, [fake], http)
        statuses: Counter[int] = Counter()
        number = 0
        while statuses.total() < REQUESTS:
            statuses += await tried_out(site.url, EXAMPLES, number)
            number += 1
        print(f"\ndescribed: {statuses.total()} requests: {dict(statuses)}")
        print(f"hardly HTTP: {dict(await hardly_http(site))}")
        assert "Traceback" not in serve.said
        assert (await site.post({"prompt": "x"})).status == 200


async def hardly_http(site: Site) -> Counter[int]:
    """How often each status came."""
    tried: list[bytes] = []
    statuses: Counter[int] = Counter()
    gate = asyncio.Semaphore(AT_ONCE)

    @seed(1)
    @settings(
        max_examples=REQUESTS, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(mutated("unused"))
    def collect(data: bytes) -> None:
        tried.append(data)

    async def one(data: bytes) -> None:
        async with gate, raw(site.url) as client:
            client.send(data)
            statuses.update(check(await client.rest()))

    collect()
    await asyncio.gather(*[one(data) for data in tried])
    return statuses
