"""Three gateways that all tests share, each with its fakes; scripts are fresh for every test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from cato_lab.emulator import Behaviour
from tests.contract.gateway.odd import Strange, odd_replica
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import Site
from tests.fakes import fake_vllm

ALICE, BOB = "token-of-alice", "token-of-bob"
_PATIENT = "[scheduling]\nsilence_s = 0.4\n"
_ONCE = "[scheduling]\nsilence_s = 0.3\nwhole_answer_s = 0.6\nmax_attempts = 1\n"
_NONE_EJECTED = "[outlier_detection]\nconsecutive_failures = 0\noverdue = false\n"
_NARROW = """
[scheduling]
max_running_per_replica = 1
max_waiting = 4
max_waiting_per_session = 2
[targets.completion]
ttft_ms = 100
worthless_after_ms = 200
"""

_STRICT = """
[server]
header_timeout_s = 0.5
body_timeout_s = 0.5
keepalive_timeout_s = 1
send_timeout_s = 1
max_idle_connections = 8
"""

package = pytest_asyncio.fixture(scope="package", loop_scope="package")


@asynccontextmanager
async def _site(folder: Path, replicas: int, config: str, *arguments: str) -> AsyncGenerator[Site]:
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(fake_vllm()) for _ in range(replicas)]
        urls = tuple(fake.url for fake in fakes)
        serve = await stack.enter_async_context(
            serving(folder, *arguments, config=config, replicas=urls)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Site(serve, fakes, http)


@asynccontextmanager
async def _fresh(site: Site) -> AsyncGenerator[Site]:
    """After the test nothing of it may be left anywhere."""
    for fake in site.fakes:
        await fake.follow(Behaviour())
        fake.state.requests.clear()
        fake.state.finished.clear()
    yield site
    await site.wait_idle()


@package
async def one_replica(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway before one replica."""
    async with _site(tmp_path_factory.mktemp("single"), 1, _PATIENT) as site:
        yield site


@package
async def two_replicas(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway before two replicas."""
    # A gateway that learns nothing: tests say which of two idle replicas is asked first.
    config = _PATIENT + 'policy = "least-outstanding-tokens"\n' + _NONE_EJECTED
    async with _site(tmp_path_factory.mktemp("pair"), 2, config) as site:
        yield site


@package
async def one_slot(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway that runs one request at a time, for two tenants."""
    folder = tmp_path_factory.mktemp("narrow")
    (folder / "tokens").write_text(f"# ours\n{ALICE}\n\n  {BOB}\n")
    tokens = ("--token-file", str(folder / "tokens"))
    async with _site(folder, 1, _NARROW, *tokens) as site:
        site.token = ALICE
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
    yield before_odd
    await before_odd.site.wait_idle()


@package
async def short_limits(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A gateway with short time limits for clients, and tokens."""
    folder = tmp_path_factory.mktemp("strict")
    (folder / "tokens").write_text(f"{ALICE}\n{BOB}\n")
    tokens = ("--token-file", str(folder / "tokens"))
    async with _site(folder, 1, _STRICT, *tokens) as site:
        site.token = ALICE
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
