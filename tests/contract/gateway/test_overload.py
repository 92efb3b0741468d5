"""Bounded queues, and requests whose worth runs out while they wait."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from cato_lab.emulator import Behaviour
from tests.contract.gateway.conftest import ALICE, BOB
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import Answer, Site
from tests.contract.gateway.test_ended_by_the_client import LONG, occupied
from tests.fakes import fake_vllm
from tests.secret_files import secret_file

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_full_queue_says_when_to_come_back(narrow: Site) -> None:
    async with occupied(narrow):
        queued = [
            asyncio.create_task(narrow.post(LONG, x_cato_session=f"editor-{i}")) for i in range(4)
        ]
        await narrow.wait_total("cato_requests_waiting", 4)
        says_when(await narrow.post(LONG, x_cato_session="one-more"))
        await gone(narrow, queued)


async def test_one_editor_cannot_fill_the_queue(narrow: Site) -> None:
    async with occupied(narrow):
        queued = [asyncio.create_task(narrow.post(LONG, x_cato_session="same")) for _ in range(2)]
        await narrow.wait_total("cato_requests_waiting", 2)
        says_when(await narrow.post(LONG, x_cato_session="same"))
        bob = {"authorization": f"Bearer {BOB}"}
        for headers in ({"x_cato_session": "other"}, bob | {"x_cato_session": "same"}):
            queued.append(asyncio.create_task(narrow.post(LONG, **headers)))
            await narrow.wait_total("cato_requests_waiting", len(queued))
        await gone(narrow, queued)


async def test_the_flood_of_one_token_shuts_no_other_out(narrow: Site) -> None:
    """The newest of the flood are refused, though they were queued."""
    bob = {"authorization": f"Bearer {BOB}"}
    async with occupied(narrow):
        flood = [asyncio.create_task(narrow.post(LONG)) for _ in range(4)]
        await narrow.wait_total("cato_requests_waiting", 4)
        says_when(await narrow.post(LONG))
        queued = [asyncio.create_task(narrow.post(LONG, **bob)) for _ in range(2)]
        refused, waiting = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
        while len(refused) < 2:
            more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            refused |= more
        for task in refused:
            says_when(task.result())
        assert await narrow.total("cato_requests_waiting") == 4
        assert not any(task.done() for task in queued)
        says_when(await narrow.post(LONG, **bob))
        await gone(narrow, [*waiting, *queued])


async def test_another_token_passes_a_flood_in_the_queue(narrow: Site) -> None:
    bob = {"authorization": f"Bearer {BOB}"}
    async with occupied(narrow):
        flood = [asyncio.create_task(narrow.post({**LONG, "prompt": "flood"})) for _ in range(3)]
        await narrow.wait_total("cato_requests_waiting", 3)
        asking = asyncio.create_task(narrow.post({**LONG, "prompt": "bob", "max_tokens": 2}, **bob))
        await narrow.wait_total("cato_requests_waiting", 4)
        await narrow.fake.change(ttft_ms=0, itl_ms=0)
    assert (await asking).status == 200
    assert narrow.fake.requests[1].body["prompt"] == "bob"
    await asyncio.gather(*flood)


async def test_a_newcomer_finds_a_slot_beside_endless_streams(tmp_path: Path) -> None:
    """Without a session, from the first request on; nothing of the flood ends meanwhile."""
    secret_file(tmp_path / "tokens", f"{ALICE}\n{BOB}\n")
    config = "[scheduling]\nmax_running_per_replica = 16\n[server]\ndrain_s = 0\n"
    arguments = ("--token-file", str(tmp_path / "tokens"))
    async with (
        fake_vllm(Behaviour(itl_ms=100)) as fake,
        serving(tmp_path, *arguments, config=config, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        site = Site(serve, [fake], http, ALICE)
        flood = [asyncio.create_task(site.post({**LONG, "max_tokens": 4000})) for _ in range(60)]
        await fake.wait_until(lambda state: state.running == 14)
        for _ in range(5):
            bob = {"authorization": f"Bearer {BOB}"}
            answer = await site.post({"prompt": "x", "max_tokens": 2}, **bob)
            assert answer.status == 200
        assert not any(task.done() for task in flood)
        for task in flood:
            task.cancel()


async def test_a_plain_client_is_not_refused_while_there_is_room(tmp_path: Path) -> None:
    """A hundred requests at once of OpenAI's own client, that names no session."""
    async with (
        fake_vllm(Behaviour(ttft_ms=20, itl_ms=5)) as first,
        fake_vllm(Behaviour(ttft_ms=20, itl_ms=5)) as second,
        serving(tmp_path, replicas=(first.url, second.url)) as serve,
        aiohttp.ClientSession() as http,
    ):
        client = Site(serve, [first, second], http).openai()
        answers = await asyncio.gather(
            *[client.completions.create(model="cato", prompt="x", max_tokens=8)
              for _ in range(100)]
        )  # fmt: skip
        assert len(answers) == 100
        assert all(answer.choices[0].finish_reason for answer in answers)
        await client.close()


def says_when(answer: Answer) -> None:
    assert answer.status == 429
    assert answer.error["type"] == "rate_limit_error"
    assert re.fullmatch(r"[1-9]\d*", answer.headers["retry-after"])
    milliseconds = int(answer.headers["retry-after-ms"])
    assert 0 < milliseconds <= 1000 * int(answer.headers["retry-after"])


async def gone(site: Site, queued: list[asyncio.Task[Answer]]) -> None:
    for task in queued:
        task.cancel()
    await site.wait_total("cato_requests_waiting", 0)


async def test_a_completion_expires_in_the_queue(narrow: Site) -> None:
    async with occupied(narrow):
        answer = await narrow.post({"prompt": "x"}, x_cato_task="completion", x_request_id="late")
        assert answer.status == 504
        assert answer.error["code"] == "expired"
        assert answer.headers["x-request-id"] == "late"
        assert len(narrow.fake.requests) == 1


async def test_its_worth_goes_with_the_budget(narrow: Site) -> None:
    """Twice the default's budget, twice the wait."""
    loop = asyncio.get_running_loop()
    async with occupied(narrow):
        began = loop.time()
        headers = {"x_cato_task": "completion", "x_slo_ttft_ms": "200"}
        assert (await narrow.post({"prompt": "x"}, **headers)).status == 504
        assert 0.35 < loop.time() - began < 2


async def test_the_load_is_told(narrow: Site) -> None:
    await narrow.fake.change(itl_ms=5)
    async with narrow.opened(LONG) as response:
        assert float(response.headers["x-cato-load"]) == 1
