"""Replicas' own metrics: others' requests count, lies do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from cato_lab.emulator import Behaviour
from tests.contract.gateway.site import COMPLETIONS, Site, eventually, serving_site

pytestmark = pytest.mark.asyncio(loop_scope="package")

CONFIG = "[scheduling]\nscrape_s = 0.05\nmax_running_per_replica = 3\n"
RUNNING, KV_USAGE = "vllm:num_requests_running", "vllm:kv_cache_usage_perc"
WAITING = "vllm:num_requests_waiting"


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway that often looks at its one replica."""
    folder = tmp_path_factory.mktemp("scraped")
    async with serving_site(folder, config=CONFIG) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="package")
async def site(watched: Site) -> AsyncGenerator[Site]:
    """Honest before the test."""
    await watched.fake.follow(Behaviour())
    await watched.wait_total("cato_requests_of_others", 0)
    yield watched
    await watched.wait_idle()


async def problems(site: Site, kind: str) -> float:
    return (await site.metrics()).get(("cato_scrape_problems_total", (kind, "static-1")), 0)


async def test_requests_of_others_are_seen_and_ours_are_not_taken_for_theirs(site: Site) -> None:
    await site.fake.change(itl_ms=20)
    body = {"prompt": "x", "stream": True, "max_tokens": 1000}
    async with (
        site.opened(body) as ours,
        site.http.post(site.fake.url + COMPLETIONS, json=body) as theirs,
    ):
        await ours.content.readline()
        await site.wait_total("cato_requests_of_others", 1)
        assert await site.total("cato_requests_running") == 1
        theirs.close()
        await site.wait_total("cato_requests_of_others", 0)
        ours.close()


async def test_who_shares_a_replica_leaves_the_more_in_the_queue(site: Site) -> None:
    """Others take more than the three slots: one is left, and of two requests one waits."""
    await site.fake.change(itl_ms=20, metric_values={RUNNING: "9"})
    await site.wait_total("cato_requests_of_others", 9)
    body = {"prompt": "x", "stream": True, "max_tokens": 1000}
    async with site.opened(body) as first:
        second = asyncio.create_task(site.post({"prompt": "y", "max_tokens": 1}))
        await site.wait_total("cato_requests_waiting", 1)
        first.close()
        assert (await second).status == 200


async def test_what_the_engine_would_keep_waiting_stays_in_our_queue(site: Site) -> None:
    """It shows that it runs one request at once, though three may be sent to it."""
    await site.fake.change(itl_ms=20, metric_values={RUNNING: "1", WAITING: "1"})
    body = {"prompt": "x", "stream": True, "max_tokens": 1000}
    async with site.opened(body) as first, site.opened(body) as other:
        await first.content.readline()
        await other.content.readline()
        await site.wait_total("cato_replica_engine_slots", 1)
        second = asyncio.create_task(site.post({"prompt": "y", "max_tokens": 1}))
        await site.wait_total("cato_requests_waiting", 1)
        first.close()
        other.close()
        assert (await second).status == 200


async def test_a_replica_that_lies_is_used_all_the_same(site: Site) -> None:
    await site.fake.change(metric_values={RUNNING: "999999"})
    await site.wait_total("cato_requests_of_others", 999_999)
    for _ in range(3):
        assert (await site.post({"prompt": "x", "max_tokens": 2})).status == 200


@pytest.mark.parametrize(
    ("value", "kind"),
    [("NaN", "nan"), ("-4", "negative"), ("", "missing"), ("lots", "malformed")],
)
async def test_what_cannot_be_is_named_once_and_counted(site: Site, value: str, kind: str) -> None:
    """And until it is mended, only our own requests are known."""
    await site.fake.change(metric_values={RUNNING: "7"})
    await site.wait_total("cato_requests_of_others", 7)
    await site.fake.change(metric_values={RUNNING: value})
    await site.wait_total("cato_requests_of_others", 0)
    counted = await problems(site, kind)
    await eventually(lambda more: more > counted + 1, lambda: problems(site, kind))
    assert site.serve.said.count(f"static-1: {RUNNING}: {kind}: what others do there is not") == 1
    assert (await site.post({"prompt": "x", "max_tokens": 2})).status == 200


async def test_how_full_its_cache_is_by_its_own_account(site: Site) -> None:
    await site.fake.change(metric_values={KV_USAGE: "0.5"})
    await site.wait_total("cato_replica_kv_usage", 0.5)
