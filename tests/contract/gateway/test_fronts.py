"""Several front processes before one scheduler: `cato serve --gateways N`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cato_backend.replicas.warden import descendants
from cato_lab.emulator import Behaviour
from tests.contract.gateway.serving import refusal, serving, start
from tests.contract.gateway.site import Answer, Site, eventually
from tests.fakes import fake_vllm
from tests.secret_files import secret_file

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {"prompt": "def add(a, b):", "max_tokens": 8, "stream": True}
LONG = {**BODY, "max_tokens": 4000}
TWO = ("--gateways", "2")


@asynccontextmanager
async def two_fronts(
    folder: Path, *arguments: str, script: Behaviour | None = None, config: str = ""
) -> AsyncGenerator[Site]:
    """Two fronts before one replica; every request has a connection of its own."""
    async with (
        fake_vllm(script or Behaviour()) as fake,
        serving(folder, *TWO, *arguments, config=config, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http,
    ):
        yield Site(serve, [fake], http)


def fronts_of(site: Site) -> list[int]:
    """The process ids of the fronts."""
    return sorted(pid for pid in descendants(site.serve.process.pid) if is_front(pid))


def is_front(pid: int) -> bool:
    try:
        return b"cato_backend.fronts" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def is_answered(site: Site) -> bool:
    try:
        return (await site.post(BODY)).status == 200
    except aiohttp.ClientError:
        return False


async def test_every_front_answers_and_all_are_counted(tmp_path: Path) -> None:
    async with two_fronts(tmp_path) as site:
        answers = await asyncio.gather(*(site.post(BODY) for _ in range(24)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert all("x-cato-queue-ms" in answer.headers for answer in answers)
        refused = await asyncio.gather(*(site.post({"prompt": 1}) for _ in range(12)))
        assert {answer.status for answer in refused} == {400}
        found = await site.metrics()
        assert found[("cato_gateways", ())] == 2
        assert found[("cato_refusals_total", ("invalid_value",))] == 12
        health = (await site.call("GET", "/health")).json
        assert health["gateways"] == {"expected": 2, "up": 2}
        assert len(fronts_of(site)) == 2


async def test_an_answer_in_one_piece_and_a_large_stream(tmp_path: Path) -> None:
    async with two_fronts(tmp_path) as site:
        whole = await site.post({**BODY, "stream": False})
        assert whole.json["usage"]["completion_tokens"] == 8
        stream = await site.post(LONG)
        assert stream.chunks[-1]["choices"][0]["finish_reason"] == "length"
        assert len(stream.chunks) > 500


async def test_a_client_that_leaves_frees_the_replica(tmp_path: Path) -> None:
    async with two_fronts(tmp_path, script=Behaviour(itl_ms=20)) as site:
        async with site.opened(LONG) as stream:
            await stream.content.readany()
            await site.fake.wait_until(lambda state: state.running == 1)
        await site.fake.wait_until(lambda state: state.running == 0)
        await site.wait_idle()


async def test_errors_cross_with_all_of_their_fields(tmp_path: Path) -> None:
    config = "[scheduling]\nmax_running_per_replica = 1\nmax_waiting = 1\n"
    async with two_fronts(tmp_path, script=Behaviour(itl_ms=20), config=config) as site:
        unknown = await site.post({**BODY, "model": "nobody"}, x_request_id="mine")
        assert (unknown.status, unknown.error["code"]) == (404, "not_found")
        assert unknown.headers["x-request-id"] == "mine"
        async with site.opened(LONG) as stream:
            await stream.content.readany()
            waiting = asyncio.create_task(site.post(BODY))
            await site.wait_total("cato_requests_waiting", 1)
            full = await site.post(BODY)
            assert (full.status, full.error["code"]) == (429, "overloaded")
            assert int(full.headers["retry-after-ms"]) > 0
            waiting.cancel()


async def test_a_front_that_dies_is_started_again_while_the_other_serves(tmp_path: Path) -> None:
    async with two_fronts(tmp_path) as site:
        first, second = fronts_of(site)
        os.kill(first, signal.SIGKILL)
        await site.serve.wait_said("ended with signal 9; the others serve")
        answers = await asyncio.gather(*(site.post(BODY) for _ in range(8)))
        assert {answer.status for answer in answers} == {200}
        await eventually(lambda found: found == 2, lambda: site.total("cato_gateways"))
        again = fronts_of(site)
        assert second in again
        assert first not in again
        assert (await site.post(BODY)).status == 200


async def test_the_calls_of_a_front_that_dies_end(tmp_path: Path) -> None:
    async with two_fronts(tmp_path, script=Behaviour(itl_ms=20)) as site:
        async with site.opened(LONG) as stream:
            await stream.content.readany()
            for pid in fronts_of(site):
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(aiohttp.ClientError):
                await stream.read()
        await site.fake.wait_until(lambda state: state.running == 0)
        await eventually(bool, lambda: is_answered(site))


async def test_fronts_end_with_their_scheduler_and_say_so(tmp_path: Path) -> None:
    async with fake_vllm(Behaviour(itl_ms=20)) as fake, aiohttp.ClientSession() as http:
        serve = await start(tmp_path, *TWO, "--port", "0", "--replica", fake.url)
        await serve.wait_said(": up: ")
        site = Site(serve, [fake], http)
        fronts = fronts_of(site)
        assert len(fronts) == 2
        async with site.opened(LONG) as stream:
            await stream.content.readany()
            serve.process.kill()
            answer = Answer(200, {}, await stream.read())
        assert answer.chunks[-1]["error"]["code"] == "shutting_down"
        await serve.wait_ended()
        assert serve.said.count("the scheduler's process has ended, and this one with it") == 2
        await eventually(bool, lambda: gone(fronts))


async def gone(pids: list[int]) -> bool:
    return not any(is_front(pid) for pid in pids)


async def test_the_end_lets_every_front_finish(tmp_path: Path) -> None:
    script = Behaviour(itl_ms=20)
    async with two_fronts(tmp_path, script=script) as site, AsyncExitStack() as stack:
        body = {**BODY, "max_tokens": 100}
        streams = [await stack.enter_async_context(site.opened(body)) for _ in range(8)]
        site.serve.process.send_signal(signal.SIGTERM)
        await site.serve.wait_said("draining: 8 requests under way")
        health = await site.call("GET", "/health")
        assert (health.status, health.json["status"]) == (503, "draining")
        refused = await asyncio.gather(*(site.post(BODY) for _ in range(8)))
        assert {each.error["code"] for each in refused} == {"shutting_down"}
        for stream in streams:
            answer = Answer(200, {}, await stream.read())
            assert answer.chunks[-1]["choices"][0]["finish_reason"] == "length"
        assert await site.serve.wait_ended() == 0
        assert not any(map(is_front, descendants(site.serve.process.pid)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_signals_to_a_front_change_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """A terminal, or systemd, may send them to every process."""
    async with two_fronts(tmp_path, script=Behaviour(itl_ms=5)) as site:
        async with site.opened({**BODY, "max_tokens": 60}) as stream:
            before = fronts_of(site)
            for pid in before:
                os.kill(pid, number)
            answer = Answer(200, {}, await stream.read())
        assert answer.chunks[-1]["choices"][0]["finish_reason"] == "length"
        assert fronts_of(site) == before


async def test_a_token_counts_at_once_when_it_is_taken_away(tmp_path: Path) -> None:
    """Though the fronts remember whom they have let in."""
    file = tmp_path / "tokens"
    secret_file(file, "alice\nbob\n")
    async with two_fronts(tmp_path, "--token-file", str(file)) as site:
        site.token = "alice"
        assert {(await site.post(BODY)).status for _ in range(6)} == {200}
        secret_file(file, "bob\n")
        site.serve.process.send_signal(signal.SIGHUP)
        await site.serve.wait_said("tokens: 1 in")
        assert {(await site.post(BODY)).status for _ in range(6)} == {401}
        site.token = "bob"
        assert (await site.post(BODY)).status == 200


async def test_no_client_can_name_itself_as_a_front_does(tmp_path: Path) -> None:
    """The address that the log tells is that of the connection."""
    file = tmp_path / "tokens"
    secret_file(file, "alice\n")
    async with two_fronts(tmp_path, "--token-file", str(file)) as site:
        answer = await site.call(
            "GET", "/v1/models", headers={"X-Cato-Front-Client": "203.0.113.7"}
        )
        assert answer.status == 401
        await site.serve.wait_said("a request from 127.0.0.1 was refused")
        assert "203.0.113.7" not in site.serve.said


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """Also by another server with fronts, whose sockets would share the port."""
    async with two_fronts(tmp_path) as site:
        port = site.url.rpartition(":")[2]
        other = tmp_path / "other"
        other.mkdir()
        for gateways in ("2", "1"):
            own = ("--gateways", gateways, "--replica", site.fake.url)
            said = await refusal(other, *own, "--port", port)
            assert f"cannot bind 127.0.0.1:{port}: Address already in use" in said


@pytest.mark.parametrize("given", ["0", "65"])
async def test_a_bad_number_is_named(tmp_path: Path, given: str) -> None:
    said = await refusal(tmp_path, "--gateways", given)
    assert "server.gateways: got" in said


async def test_limits_of_connections_hold_in_sum(tmp_path: Path) -> None:
    config = "[server]\nmax_connections = 8\nmax_idle_connections = 4\n"
    async with two_fronts(tmp_path, config=config) as site:
        port = int(site.url.rpartition(":")[2])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(24)]

        async def idle() -> float:
            return (await site.metrics())[("cato_connections", ("idle",))]

        await eventually(lambda found: found <= 4, idle)
        assert await site.total("cato_connections_closed_total") >= 16
        for _, writer in held:
            writer.close()


async def test_log_lines_name_their_process(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    secret_file(file, "alice\n")
    arguments: tuple[Any, ...] = ("--token-file", str(file))
    async with two_fronts(tmp_path, *arguments) as site:
        assert (await site.post(BODY)).status == 401
        await site.serve.wait_said(": a request from 127.0.0.1 was refused: invalid_api_key")
        assert "WARNING front " in site.serve.said
