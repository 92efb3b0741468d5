"""Three gateways that all tests share, each with its fakes; scripts are fresh for every test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio

from cato_lab.emulator import Behaviour
from tests.contract.gateway.odd import Strange, odd_replica
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import Site, serving_site
from tests.secret_files import secret_file

ALICE, BOB = "token-of-alice", "token-of-bob"
# The fakes stand still while another module's tests run on a loop of their own: a replica that does
# not answer is not taken for dead, and one that was away is found again soon.
_WATCHED = "[health_check]\nunhealthy_threshold = 1000\nmax_backoff_s = 0.5\n"
_PATIENT = f"{_WATCHED}[scheduling]\nsilence_s = 2.0\n"
_ONCE = f"{_WATCHED}[scheduling]\nsilence_s = 0.6\nwhole_answer_s = 1.2\nmax_attempts = 1\n"
_NONE_EJECTED = "[outlier_detection]\nconsecutive_failures = 0\noverdue = false\n"
_NARROW = f"""
{_WATCHED}
[scheduling]
max_running_per_replica = 1
max_waiting = 4
max_waiting_per_session = 2
[targets.completion]
ttft_ms = 100
worthless_after_ms = 200
"""

_STRICT = f"""
{_WATCHED}
[server]
header_timeout_s = 0.5
body_timeout_s = 0.5
keepalive_timeout_s = 1
send_timeout_s = 1
max_idle_connections = 8
"""

package = pytest_asyncio.fixture(scope="package", loop_scope="package")


@asynccontextmanager
async def _fresh(site: Site) -> AsyncGenerator[Site]:
    """Every replica is in service, and after the test nothing of it may be left anywhere."""
    for fake in site.fakes:
        await fake.follow(Behaviour())
    await site.wait_total("cato_replicas_up", len(site.fakes))
    await site.wait_idle()
    for fake in site.fakes:
        fake.state.requests.clear()
        fake.state.finished.clear()
    yield site
    await site.wait_idle()


@package
async def one_replica(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway before one replica."""
    async with serving_site(tmp_path_factory.mktemp("single"), config=_PATIENT) as site:
        yield site


@package
async def two_replicas(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway before two replicas."""
    # A gateway that learns nothing: tests say which of two idle replicas is asked first.
    config = _PATIENT + 'policy = "least-outstanding-tokens"\n' + _NONE_EJECTED
    async with serving_site(tmp_path_factory.mktemp("pair"), config=config, replicas=2) as site:
        yield site


@package
async def one_slot(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway that runs one request at a time, for two tenants."""
    folder = tmp_path_factory.mktemp("narrow")
    secret_file(folder / "tokens", f"# ours\n{ALICE}\n\n  {BOB}\n")
    tokens = ("--token-file", str(folder / "tokens"))
    async with serving_site(folder, *tokens, config=_NARROW, token=ALICE) as site:
        yield site


@package
async def before_odd(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Strange]:
    """A gateway before a replica that sends any bytes; nothing is tried twice."""
    folder = tmp_path_factory.mktemp("odd")
    async with (
        odd_replica() as odd,
        serving(folder, config=_ONCE, replicas=(odd.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        yield Strange(Site(serve, [], http), odd)


@pytest_asyncio.fixture(loop_scope="package")
async def strange(before_odd: Strange) -> AsyncGenerator[Strange]:
    """Set back for the test; nothing is left running after it."""
    before_odd.odd.set_back()
    await before_odd.site.wait_total("cato_replicas_up", 1)
    yield before_odd
    await before_odd.site.wait_idle()


@package
async def short_limits(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway with short time limits for clients, and tokens."""
    folder = tmp_path_factory.mktemp("strict")
    secret_file(folder / "tokens", f"{ALICE}\n{BOB}\n")
    tokens = ("--token-file", str(folder / "tokens"))
    async with serving_site(folder, *tokens, config=_STRICT, token=ALICE) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="package")
async def single(one_replica: Site) -> AsyncGenerator[Site]:
    """One replica, idle before and after the test."""
    async with _fresh(one_replica) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="package")
async def pair(two_replicas: Site) -> AsyncGenerator[Site]:
    """Two replicas, idle before and after the test."""
    async with _fresh(two_replicas) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="package")
async def strict(short_limits: Site) -> AsyncGenerator[Site]:
    """Short time limits for clients; asks as Alice."""
    async with _fresh(short_limits) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="package")
async def narrow(one_slot: Site) -> AsyncGenerator[Site]:
    """One slot in the queue's way; asks as Alice."""
    async with _fresh(one_slot) as site:
        yield site
