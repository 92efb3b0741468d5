"""A replica that cannot be used: one line that says which, why and what to do, and no other."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from cato_lab.emulator import Behaviour
from tests.contract.gateway.serving import cato, serving
from tests.contract.gateway.site import Site
from tests.contract.replicas.strange import answering, saying, server_tls
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="package")

QUICK = """
[health_check]
interval_s = 0.1
timeout_s = 2
models_interval_s = 0.1
initial_backoff_s = 0.2
max_backoff_s = 0.5
"""
TROUBLES = {
    "refused": ("the connection was refused", "host and port"),
    "unknown": ("its host name cannot be resolved", "DNS"),
    "key": ("it requires an API key", "set `token`"),
    "wrong-key": ("its API key was refused", "correct `token`"),
    "model": ("it serves 'this', not 'that'", "correct `model`"),
    "http": ("it speaks TLS, not plain HTTP", "write https://"),
    "https": ("it speaks plain HTTP, not TLS", "write http://"),
    "certificate": ("its certificate is not trusted", "set SSL_CERT_FILE"),
    "page": ("answered HTML in place of JSON", "OpenAI-compatible"),
    "path": ("/v1/models answered HTTP 404", "OpenAI-compatible"),
    "empty": ("its /v1/models lists no model", "loading"),
    "silence": ("it did not answer in time", "firewall"),
    "moved": ("a redirection to https://gpu.example.com", "set its url"),
}


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port of loopback that refuses connections."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def troubled(
    tmp_path_factory: pytest.TempPathFactory, closed_port: int
) -> AsyncGenerator[Site]:
    """A gateway before one replica for each trouble, in their order, and none that works."""
    folder = tmp_path_factory.mktemp("troubled")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        tls, _ = server_tls(folder)
        keyed, this = (
            await enter(fake_vllm(Behaviour(api_key="k"))),
            await enter(fake_vllm(Behaviour(model="this"))),
        )
        plain, over_tls = await enter(answering()), await enter(answering(tls=tls))
        page = await enter(answering(text="<html>Sign in</html>", content_type="text/html"))
        path, empty = await enter(answering(404)), await enter(answering(text='{"data": null}'))
        silent = await enter(saying(None))
        moved = await enter(answering(301, headers={"Location": "https://gpu.example.com/"}))
        replicas = [
            f'url = "http://127.0.0.1:{closed_port}"',
            'url = "http://no-such-host.invalid:8000"',
            f'url = "{keyed.url}"',
            f'url = "{keyed.url}"\ntoken = "s3cret"',
            f'url = "{this.url}"\nmodel = "that"',
            f'url = "http://127.0.0.1:{over_tls}"',
            f'url = "https://127.0.0.1:{plain}"',
            f'url = "https://localhost:{over_tls}"',
            *(f'url = "http://127.0.0.1:{port}"' for port in (page, path, empty, silent, moved)),
        ]
        assert len(replicas) == len(TROUBLES)
        config = QUICK + "".join(f"\n[[replicas]]\n{replica}\n" for replica in replicas)
        serve = await enter(serving(folder, config=config))
        await serve.wait_said(": down: ", len(replicas))
        yield Site(serve, [], await enter(aiohttp.ClientSession()))


@pytest.mark.parametrize("kind", TROUBLES)
async def test_the_log_says_it_once(troubled: Site, kind: str) -> None:
    number = list(TROUBLES).index(kind) + 1
    reason, remedy = TROUBLES[kind]
    lines = re.findall(rf"^\[ *[\d.]+ s\] static-{number}: (.*)$", troubled.serve.said, re.M)
    assert len(lines) == 1, lines
    assert lines[0].startswith("down: http")
    assert reason in lines[0]
    assert remedy in lines[0]


async def test_no_key_is_in_the_log(troubled: Site) -> None:
    assert "s3cret" not in troubled.serve.said


async def test_health_says_it_of_each_replica(troubled: Site) -> None:
    health = await troubled.call("GET", "/health")
    assert health.status == 503
    replicas = health.json["replicas"]
    assert [r["id"] for r in replicas] == [f"static-{n}" for n in range(1, len(TROUBLES) + 1)]
    for replica, (reason, remedy) in zip(replicas, TROUBLES.values(), strict=True):
        assert replica["state"] == "down"
        assert reason in replica["reason"]
        assert remedy in replica["remedy"]
        assert f"{replica['id']}: down: {replica['reason']}" in health.json["message"]
        assert datetime.fromisoformat(replica["since"]) < datetime.now(UTC)


async def test_the_doctor_says_it_too(troubled: Site, tmp_path: Path) -> None:
    found = (await cato(tmp_path, "doctor", "--url", troubled.url)).out
    for number, (reason, remedy) in enumerate(TROUBLES.values(), start=1):
        line, advice = re.findall(
            rf"^BROKEN replica static-{number}: (.*)\n +-> (.*)$", found, re.M
        )[0]
        assert reason in line
        assert remedy in advice


async def test_what_changes_is_said_again(tmp_path: Path) -> None:
    async with fake_vllm() as fake:
        async with serving(tmp_path, config=QUICK, replicas=(fake.url,)) as serve:
            await fake.change(api_key="k")
            await serve.wait_said("static-1: down: ", 1)
            await fake.change(listening=False)
            await serve.wait_said("static-1: down: ", 2)
            await fake.follow(Behaviour())
            await serve.wait_said("static-1: up: ", 2)
        lines = [line.partition("] static-1: ")[2] for line in serve.said.splitlines()]
        said = [line.partition(":")[0] for line in lines if line.startswith(("up", "down"))]
        assert said == ["up", "down", "down", "up"]


async def test_the_doctor_of_a_fleet_that_serves_notes_what_is_away(
    tmp_path: Path, closed_port: int
) -> None:
    away = f"http://127.0.0.1:{closed_port}"
    async with fake_vllm() as fake:
        config = f'{QUICK}\n[[replicas]]\nurl = "{fake.url}"\n[[replicas]]\nurl = "{away}"\n'
        async with serving(tmp_path, config=config) as serve:
            await serve.wait_said(": up: ")
            await serve.wait_said(": down: ")
            found = (await cato(tmp_path, "doctor", "--url", serve.url)).out
    assert "ok     replica static-1: up, serves cato-embedded" in found
    assert re.search(r"note   replica static-2: down since .*: the connection was refused", found)
    assert "BROKEN" not in found


async def test_an_address_as_other_tools_want_it_just_works(tmp_path: Path) -> None:
    async with fake_vllm() as fake:
        urls = [fake.url + tail for tail in ("/", "/v1", "/v1/", "/v1/chat/completions")]
        async with (
            serving(tmp_path, replicas=tuple(urls)) as serve,
            aiohttp.ClientSession() as http,
        ):
            site = Site(serve, [fake], http)
            for session in range(8):
                answer = await site.post({"prompt": "x"}, x_cato_session=str(session))
                assert answer.status == 200


async def test_a_replica_over_tls_of_a_private_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health checks and completions both trust what SSL_CERT_FILE names."""
    tls, certificate = server_tls(tmp_path)
    monkeypatch.setitem(os.environ, "SSL_CERT_FILE", str(certificate))
    async with (
        fake_vllm(tls=tls) as fake,
        serving(tmp_path, "--replica", fake.url) as serve,
        aiohttp.ClientSession() as http,
    ):
        await serve.wait_said(": up: ")
        site = Site(serve, [fake], http)
        assert (await site.post({"prompt": "x", "stream": True})).text
