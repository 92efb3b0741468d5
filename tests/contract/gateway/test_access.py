"""Who may come in: tokens, web pages, other machines, TLS."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from cato_lab.emulator import Emulator
from tests.contract.gateway.certificate import self_signed
from tests.contract.gateway.conftest import BOB
from tests.contract.gateway.serving import refusal, serving
from tests.contract.gateway.site import COMPLETIONS, Site
from tests.fakes import fake_vllm
from tests.secret_files import secret_file

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "Basic token-of-alice", "token-of-alice", "Bearer token-of-alic",
     "Bearer token-of-alice,", "Bearer # ours"],
)  # fmt: skip
async def test_requests_without_a_token_are_refused(narrow: Site, authorization: str) -> None:
    headers = {"authorization": authorization}
    for method, path in (
        ("POST", COMPLETIONS), ("GET", "/v1/models"), ("GET", "/metrics"), ("GET", "/nowhere"),
        ("POST", "/v1/requests/x/cancel"), ("POST", "/v1/tasks"),
    ):  # fmt: skip
        answer = await narrow.call(method, path, headers=headers, json={"prompt": "x"})
        assert answer.status == 401
        assert answer.error["code"] == "invalid_api_key"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert narrow.fake.requests == []


async def test_every_token_of_the_file_opens(narrow: Site) -> None:
    for token in (narrow.token, BOB):
        for scheme in ("Bearer", "bearer"):
            headers = {"authorization": f"{scheme} {token}"}
            answer = await narrow.call("POST", COMPLETIONS, json={"prompt": "x"}, headers=headers)
            assert answer.status == 200
    assert "token-of" not in narrow.serve.said


async def test_health_is_open_to_everybody(narrow: Site) -> None:
    answer = await narrow.call("GET", "/health", headers={"authorization": ""})
    assert answer.status == 200


async def test_the_replica_never_sees_the_client_s_token(narrow: Site) -> None:
    await narrow.post({"prompt": "x"})
    assert narrow.token not in str(narrow.fake.requests[-1].headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:8700"},
        {"origin": "null"},
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8700"},
        {"host": "192.168.1.5"},
        {"host": "localhost.evil.example"},
        {"host": ""},
    ],
)
async def test_web_pages_are_refused_on_loopback(single: Site, headers: dict[str, str]) -> None:
    for method, path in (("POST", COMPLETIONS), ("GET", "/health"), ("OPTIONS", COMPLETIONS)):
        answer = await single.call(method, path, headers=headers, data=b'{"prompt": "x"}')
        assert answer.status == 403
        assert answer.error["type"] == "permission_error"
        assert "access-control-allow-origin" not in answer.headers
    assert single.fake.requests == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:1", "[::1]", "[::1]:8700"])
async def test_loopback_by_any_name(single: Site, host: str) -> None:
    assert (await single.call("GET", "/health", headers={"host": host})).status == 200


async def test_other_machines_need_a_token(tmp_path: Path) -> None:
    said = await refusal(tmp_path, "--host", "0.0.0.0", "--replica", "http://127.0.0.1:9")
    assert "server.token_file: got '', expected a file with a token" in said


@pytest_asyncio.fixture(loop_scope="package")
async def fake() -> AsyncGenerator[Emulator]:
    """A replica for one test."""
    async with fake_vllm() as replica:
        yield replica


async def test_tls_serves(tmp_path: Path, fake: Emulator) -> None:
    certificate, key = self_signed(tmp_path)
    secret_file(tmp_path / "token", "the-token\n")
    arguments = ("--host", "0.0.0.0", "--token-file", str(tmp_path / "token"),
                 "--tls-cert", str(certificate), "--tls-key", str(key))  # fmt: skip
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with (
        serving(tmp_path, *arguments, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as http,
    ):
        assert serve.url.startswith("https://0.0.0.0:")
        assert not (tmp_path / "state" / "backend.json").exists()
        url = serve.url.replace("0.0.0.0", "localhost")
        headers = {"authorization": "Bearer the-token", "host": "gpu.example", "origin": "x"}
        body = {"prompt": "x", "stream": True}
        async with http.post(url + COMPLETIONS, json=body, headers=headers) as response:
            assert response.status == 200
            assert (await response.read()).endswith(b"data: [DONE]\n\n")


async def test_insecure_serves_behind_a_proxy(tmp_path: Path, fake: Emulator) -> None:
    secret_file(tmp_path / "token", "the-token\n")
    arguments = ("--host", "0.0.0.0", "--token-file", str(tmp_path / "token"), "--insecure")
    async with (
        serving(tmp_path, *arguments, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession(headers={"authorization": "Bearer the-token"}) as http,
    ):
        url = serve.url.replace("0.0.0.0", "127.0.0.1")
        async with http.get(f"{url}/v1/models") as response:
            assert response.status == 200
