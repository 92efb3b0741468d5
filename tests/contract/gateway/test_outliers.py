"""Replicas that misbehave without dying: they hang, answer with errors, or refuse."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from cato_lab.emulator import Behaviour, Emulator, Fault, FaultKind
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import Site, eventually
from tests.fakes import fake_vllm, fake_vllm_command

pytestmark = pytest.mark.asyncio(loop_scope="package")

CALM = Behaviour(ttft_ms=20, itl_ms=4)
REQUESTS, RATE = 80, 40.0
GIVES_UP_S = 10.0
"""When a client of these tests counts its request as lost."""
MOST_LOST = 2
ADDED_S = 1.0
UNDISTURBED_S = 0.5
"""A request of these tests on a machine that does other things beside."""
BODY = {"prompt": "def f(x):\n    return", "max_tokens": 8}
PROFILE = Path(__file__).parents[3] / "profiles" / "l4" / "Qwen2.5-Coder-1.5B.json"


class Outcome(NamedTuple):
    """What became of one request."""

    status: int
    """0 where its client gave up, or its stream broke."""
    seconds: float
    replica: str


@asynccontextmanager
async def fleet(
    folder: Path, *arguments: str, replicas: int = 2, config: str = ""
) -> AsyncGenerator[Site]:
    """A gateway of its own: what it has learned of its replicas is its own, too."""
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(fake_vllm(CALM)) for _ in range(replicas)]
        urls = tuple(fake.url for fake in fakes)
        serve = await stack.enter_async_context(
            serving(folder, *arguments, config=config, replicas=urls)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        for fake in fakes:
            fake.requests.clear()  # The gateway has asked each what it can do.
        yield Site(serve, fakes, http)
        for fake in fakes:
            await fake.follow(CALM)


async def outcome(site: Site, body: dict[str, Any], **headers: Any) -> Outcome:
    """Of one request."""
    loop = asyncio.get_running_loop()
    began, status, replica = loop.time(), 0, ""
    try:
        async with asyncio.timeout(GIVES_UP_S):
            answer = await site.post(body, **headers)
            replica = answer.headers.get("x-cato-replica", "")
            broken = answer.status == 200 and b'"error"' in answer.body
            status = 0 if broken else answer.status
    except (TimeoutError, aiohttp.ClientError):
        pass
    return Outcome(status, loop.time() - began, replica)


async def outcomes(
    site: Site, body: dict[str, Any], requests: int = REQUESTS, **headers: Any
) -> list[Outcome]:
    """Requests at a steady rate, whatever becomes of those before."""
    asking: list[asyncio.Task[Outcome]] = []
    for _ in range(requests):
        asking.append(asyncio.create_task(outcome(site, body, **headers)))
        await asyncio.sleep(1 / RATE)
    return await asyncio.gather(*asking)


async def state(site: Site, replica: int = 1) -> dict[str, Any]:
    """What `/health` says of one replica."""
    health = await site.call("GET", "/health")
    return next(r for r in health.json["replicas"] if r["id"] == f"static-{replica}")


def lost(found: list[Outcome]) -> list[Outcome]:
    return [each for each in found if each.status != 200]


@pytest.mark.parametrize(
    ("policy", "profile", "stream"),
    [
        ("cato", False, True),
        ("cato", True, True),
        ("cato", False, False),
        ("round-robin", False, True),
        ("least-requests", False, False),
    ],
)
async def test_a_replica_that_hangs_costs_a_second_at_most(
    tmp_path: Path, policy: str, profile: bool, stream: bool
) -> None:
    """It answers /health, /metrics and /v1/models, and never a completion."""
    arguments = ("--policy", policy, *(("--profile", str(PROFILE)) if profile else ()))
    async with fleet(tmp_path, *arguments) as site:
        hung = site.fakes[0]
        await hung.change(faults=[Fault(FaultKind.HANG)])
        found = await outcomes(site, BODY | {"stream": stream})
        assert len(lost(found)) <= MOST_LOST, lost(found)
        assert max(each.seconds for each in found) < UNDISTURBED_S + ADDED_S
        assert len(hung.requests) < REQUESTS / 2
        assert (await state(site))["ejected_for"] == "overdue"
        assert (await state(site, 2))["state"] == "up"
        assert await site.total("cato_replica_ejected") == 1
        assert await site.total("cato_attempts_moved_total") >= 1
        assert "static-1: ejected until it answers a synthetic request" in site.serve.said
        await hung.change(faults=())
        await served_by(site, hung)
        assert "static-1: back in service" in site.serve.said


async def served_by(site: Site, fake: Emulator) -> None:
    """Returns once the replica is back in service and answers requests like the others."""
    sent = len(fake.requests)

    async def look() -> bool:
        await site.post(BODY)
        ejected = await site.total("cato_replica_ejected")
        return ejected == 0 and len(fake.requests) > sent

    await eventually(bool, look)


@asynccontextmanager
async def frozen(process: Process, seconds: float) -> AsyncGenerator[None]:
    """The process stands still in the block, and this long at least."""
    process.send_signal(signal.SIGSTOP)
    until = asyncio.get_running_loop().time() + seconds
    try:
        yield
        await asyncio.sleep(until - asyncio.get_running_loop().time())
    finally:
        process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def process() -> AsyncGenerator[tuple[Process, str]]:
    """A fake as a process of its own, and its URL."""
    command = fake_vllm_command(20, 10)
    started = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert started.stdout is not None
    try:
        yield started, (await started.stdout.readline()).decode().strip()
    finally:
        started.send_signal(signal.SIGCONT)
        started.terminate()
        await started.communicate()


@pytest.mark.parametrize("policy", ["cato", "round-robin"])
async def test_a_process_that_is_frozen_loses_nothing(tmp_path: Path, policy: str) -> None:
    """Streams that it was in the midst of go on elsewhere."""
    body = BODY | {"stream": True, "max_tokens": 100}
    async with process() as (first, one), process() as (_, two):
        arguments = ("--policy", policy)
        async with (
            serving(tmp_path, *arguments, replicas=(one, two)) as serve,
            aiohttp.ClientSession() as http,
        ):
            site = Site(serve, [], http)
            begun = [asyncio.create_task(outcome(site, body)) for _ in range(6)]
            await site.wait_total("cato_requests_running", 6)
            await asyncio.sleep(0.2)  # So that they have begun.
            async with frozen(first, 6.0):
                streams = await asyncio.gather(*begun)
                assert lost(streams) == []
                assert max(each.seconds for each in streams) < 5, "they waited for its end"
                found = await outcomes(site, BODY | {"stream": True}, 60)
                assert len(lost(found)) <= MOST_LOST, lost(found)
                assert (await state(site))["state"] != "up"

            async def is_back() -> bool:
                await site.post(BODY)
                return bool((await state(site))["state"] == "up")

            await eventually(bool, is_back)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.ERROR),
        Fault(FaultKind.RESET),
        Fault(FaultKind.HTML, status=502),
        Fault(FaultKind.HTML, status=200),
        Fault(FaultKind.DIE, after_tokens=3),
    ],
)
async def test_a_replica_that_fails_every_request_is_ejected_after_few(
    tmp_path: Path, fault: Fault
) -> None:
    # A policy that would never learn by itself to leave it alone.
    async with fleet(tmp_path, "--policy", "round-robin") as site:
        broken = site.fakes[0]
        await broken.change(faults=[fault])
        found = await outcomes(site, BODY | {"stream": True}, 40)
        assert lost(found) == []
        assert len(broken.requests) < 20
        assert (await state(site))["ejected_for"] == "failures"
        ejections = await site.metrics()
        assert ejections["cato_replica_ejections_total", ("failures", "static-1")] >= 1
        await broken.change(faults=())
        await served_by(site, broken)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_mistake_of_the_client_is_no_failure_of_the_replica(
    tmp_path: Path, status: int
) -> None:
    async with fleet(tmp_path) as site:
        for fake in site.fakes:
            await fake.change(faults=[Fault(FaultKind.ERROR, status=status)])
        for _ in range(12):
            assert (await site.post(BODY)).status in (400, status)
        assert await site.total("cato_replica_ejected") == 0


async def test_where_every_replica_fails_none_is_given_up(tmp_path: Path) -> None:
    async with fleet(tmp_path) as site:
        for fake in site.fakes:
            await fake.change(faults=[Fault(FaultKind.ERROR)])
        answers = await asyncio.gather(*(site.post(BODY) for _ in range(6)))
        assert {answer.status for answer in answers} == {502}
        for fake in site.fakes:
            await fake.change(faults=())
        assert (await site.post(BODY)).status == 200


# -- back-pressure ---------------------------------------------------------------------------------

BUSY = [
    Fault(FaultKind.ERROR, status=429, retry_after="1"),
    Fault(FaultKind.ERROR, status=503, retry_after="1"),
    Fault(FaultKind.ERROR, status=503),
    Fault(FaultKind.HTML, status=503, retry_after="1"),
]


@pytest.mark.parametrize("fault", BUSY)
async def test_a_request_that_finds_no_room_goes_to_another_replica(
    tmp_path: Path, fault: Fault
) -> None:
    async with fleet(tmp_path, "--policy", "round-robin") as site:
        await site.fakes[0].change(faults=[fault])
        found = await outcomes(site, BODY, 40)
        assert lost(found) == []
        assert max(each.seconds for each in found) < UNDISTURBED_S
        assert len(site.fakes[0].requests) < 5
        assert (await state(site))["ejected_for"] == "busy"


@pytest.mark.parametrize("fault", BUSY)
async def test_it_waits_for_the_only_replica_while_its_deadline_allows(
    tmp_path: Path, fault: Fault
) -> None:
    async with fleet(tmp_path, replicas=1) as site:
        await site.fake.change(faults=[Fault(**{**fields(fault), "times": 1})])
        found = await outcome(site, BODY, x_slo_ttft_ms=5000)
        assert found.status == 200
        assert 0.9 < found.seconds < 3


def fields(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in Fault.__slots__}


async def test_beyond_its_deadline_the_client_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with fleet(tmp_path, replicas=1) as site:
        await site.fake.change(faults=[Fault(FaultKind.ERROR, status=503, retry_after="20")])
        for _ in range(3):
            answer = await site.post(BODY, x_slo_ttft_ms=1000)
            assert answer.status == 429
            assert answer.error["code"] == "replicas_busy"
            assert 15 < int(answer.headers["retry-after"]) <= 20
            assert 15_000 < int(answer.headers["retry-after-ms"]) <= 20_000
        assert len(site.fake.requests) == 1
