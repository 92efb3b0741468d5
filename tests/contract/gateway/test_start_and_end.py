"""How `cato serve` starts, is found, and ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from cato_backend.profile_files.files import shipped_folder
from cato_backend.wire.discovery import discover
from cato_lab.emulator import Behaviour, Emulator
from tests.contract.gateway.serving import refusal, serving, start
from tests.contract.gateway.site import COMPLETIONS, Site
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="package")

NOWHERE = "http://127.0.0.1:9"


@pytest_asyncio.fixture(loop_scope="package")
async def fake() -> AsyncGenerator[Emulator]:
    """A replica for one test."""
    async with fake_vllm() as replica:
        yield replica


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[server]\nprt = 1", ("server.prt", "no such field", "--help-config")),
        ("[scheduling]\nsilence_s = 0", ("scheduling.silence_s", "got 0", "greater than 0")),
        ('[scheduling]\npolicy = "magic"', ("scheduling.policy", "'magic'", "round-robin")),
    ],
)
async def test_a_bad_field_is_refused_with_its_name_and_what_is_expected(
    tmp_path: Path, config: str, words: tuple[str, ...]
) -> None:
    file = tmp_path / "cato.toml"
    file.write_text(config)
    said = await refusal(tmp_path, "--config", str(file), "--replica", NOWHERE)
    assert all(word in said for word in words), said


async def test_a_profile_of_another_model_is_told_and_not_used(
    tmp_path: Path, fake: Emulator
) -> None:
    """Of a server that runs elsewhere the model is known only once it answers."""
    (profile,) = (shipped_folder() / "a100-80gb").glob("Qwen2.5-Coder-7B.json")
    async with (
        serving(tmp_path, "--profile", str(profile), replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        assert "its profile is of Qwen/Qwen2.5-Coder-7B, not cato-embedded: not used" in serve.said
        assert (await Site(serve, [fake], http).post({"prompt": "x"})).status == 200


async def test_a_missing_file_of_configuration(tmp_path: Path) -> None:
    said = await refusal(tmp_path, "--config", str(tmp_path / "none.toml"), "--replica", NOWHERE)
    assert "none.toml: No such file" in said


async def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        said = await refusal(tmp_path, "--port", port, "--replica", NOWHERE)
    assert f"127.0.0.1:{port}: Address already in use" in said


async def test_the_backend_is_found_until_it_ends(tmp_path: Path, fake: Emulator) -> None:
    found = tmp_path / "state" / "backend.json"
    async with serving(tmp_path, replicas=(fake.url,)) as serve:
        announced = discover(found)
        assert announced is not None
        assert (announced.url, announced.pid) == (serve.url, serve.process.pid)
        assert announced.token is None
        assert found.stat().st_mode & 0o777 == 0o600
        async with serving(tmp_path, replicas=(fake.url,)):
            assert discover(found) == announced, "the second one is nobody's to find"
        assert discover(found) == announced
    assert not found.exists()


async def test_a_token_for_loopback_is_found_by_the_users_own_editors(
    tmp_path: Path, fake: Emulator
) -> None:
    folder = tmp_path / "state"
    always = ("--loopback-token", "always")
    async with serving(tmp_path, *always, replicas=(fake.url,)) as serve:
        announced = discover(folder / "backend.json")
        assert announced is not None
        assert announced.token == (folder / "token").read_text().strip()
        assert announced.token not in serve.said
        for token, status, knows in ((announced.token, 200, True), ("wrong", 401, False)):
            headers = {"authorization": f"Bearer {token}"}
            async with aiohttp.ClientSession(serve.url, headers=headers) as http:
                async with http.get("/v1/models") as response:
                    assert response.status == status
                async with http.get("/health") as response:
                    assert response.status == 200
                    assert ("replicas" in await response.json()) is knows


async def test_of_two_colocated_backends_the_second_leaves(tmp_path: Path, fake: Emulator) -> None:
    async with serving(tmp_path, "--colocated", replicas=(fake.url,)) as serve:
        second = await start(tmp_path, "--colocated", "--replica", fake.url)
        assert await second.wait_ended() == 0
        assert "runs already" in second.said
        announced = discover(tmp_path / "state" / "backend.json")
        assert announced is not None
        assert announced.pid == serve.process.pid
        assert announced.token
        assert announced.token not in serve.said
        for token, status in ((announced.token, 200), ("wrong", 401)):
            headers = {"authorization": f"Bearer {token}"}
            async with (
                aiohttp.ClientSession(headers=headers) as http,
                http.get(f"{serve.url}/v1/models") as response,
            ):
                assert response.status == status


async def test_a_killed_backend_makes_room_for_the_next(tmp_path: Path, fake: Emulator) -> None:
    first = await start(tmp_path, "--colocated", "--replica", fake.url)
    await first.wait_said(": up: ")
    first.process.kill()
    await first.wait_ended()
    stale = json.loads((tmp_path / "state" / "backend.json").read_text())
    async with serving(tmp_path, "--colocated", replicas=(fake.url,)) as serve:
        announced = discover(tmp_path / "state" / "backend.json")
        assert announced is not None
        assert announced.pid == serve.process.pid != stale["pid"]


async def test_an_idle_server_shuts_down(tmp_path: Path, fake: Emulator) -> None:
    config = "[server]\nidle_exit_s = 0.7\n"
    await fake.follow(Behaviour(itl_ms=100))
    loop = asyncio.get_running_loop()
    async with (
        serving(tmp_path, config=config, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        body = {"prompt": "x", "max_tokens": 20}
        async with http.post(serve.url + COMPLETIONS, json=body) as response:
            assert response.status == 200, "it does not end while it is asked"
        began = loop.time()
        assert await serve.wait_ended() == 0
        assert 0.2 < loop.time() - began < 6
    assert "s: shutting down" in serve.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_soon_though_streams_are_open(
    tmp_path: Path, fake: Emulator, number: signal.Signals
) -> None:
    await fake.follow(Behaviour(itl_ms=50))
    config = "[server]\ndrain_s = 0.5\n"
    async with (
        serving(tmp_path, config=config, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        site = Site(serve, [fake], http)
        body = {"prompt": "x", "stream": True, "max_tokens": 2000}
        async with site.opened(body) as response:
            await response.content.readuntil(b"\n\n")
            queued = asyncio.create_task(site.post({**body, "stream": False}))
            await fake.wait_until(lambda state: state.running == 2)
            serve.process.send_signal(number)
            assert await serve.wait_ended(within_s=6) == 0
            await asyncio.gather(queued, return_exceptions=True)
        await fake.wait_until(lambda state: state.running == 0)
    assert not (tmp_path / "state" / "backend.json").exists()


async def test_without_a_replica_it_waits_and_says_so(tmp_path: Path) -> None:
    """Nothing is known of any model yet: a request is held until its deadline."""
    async with (
        serving(tmp_path, "--replica", NOWHERE) as serve,
        aiohttp.ClientSession() as http,
    ):
        site = Site(serve, [], http)
        health = await site.call("GET", "/health")
        assert (health.status, health.json["status"]) == (503, "starting")
        answer = await site.post({"prompt": "x"}, x_slo_ttft_ms=300)
        assert answer.status == 503
        assert answer.error["code"] == "no_replica"
        assert (await site.call("GET", "/v1/models")).json["data"] == []
