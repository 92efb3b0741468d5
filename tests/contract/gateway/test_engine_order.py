"""The scheduler's priority reaches the engines that order by it, and no other."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from cato_lab.emulator import Behaviour
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import Site
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_priority_goes_to_the_replicas_that_accept_it(tmp_path: Path) -> None:
    async with fake_vllm() as ordered, fake_vllm(Behaviour(priority_scheduling=False)) as plain:
        fakes = [ordered, plain]
        config = '[scheduling]\npolicy = "round-robin"\n'
        async with (
            serving(tmp_path, config=config, replicas=(ordered.url, plain.url)) as serve,
            aiohttp.ClientSession() as http,
        ):
            for fake in fakes:
                fake.state.requests.clear()
            site = Site(serve, fakes, http)
            answers = [await site.post({"prompt": "x"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    (one,), (other,) = ordered.requests, plain.requests
    assert isinstance(one.body["priority"], int)
    assert "priority" not in other.body
