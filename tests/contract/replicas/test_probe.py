"""Why a server cannot be a replica: each cause by name, with what to do about it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from cato_backend.errors import ReplicaUnavailable
from cato_backend.replicas.features import (
    has_chat_template,
    speaks_vllm,
    takes_system_message,
)
from cato_backend.replicas.probe import check_health, describe, is_healthy
from cato_backend.replicas.replica import Replica
from cato_lab.emulator import Behaviour
from tests.contract.replicas.strange import answering, saying, server_tls
from tests.fakes import fake_vllm


async def trouble(
    session: aiohttp.ClientSession, url: str, model: str = "", api_key: str | None = None
) -> ReplicaUnavailable:
    with pytest.raises(ReplicaUnavailable) as caught:
        await describe(session, "r", url, model=model, api_key=api_key, timeout_s=2)
    assert caught.value.reason
    assert caught.value.remedy
    return caught.value


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of loopback that refuses connections while the test runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


async def test_a_wrong_port(session: aiohttp.ClientSession, closed_port: int) -> None:
    found = await trouble(session, f"http://127.0.0.1:{closed_port}")
    assert "connection was refused" in found.reason
    assert "host and port" in found.remedy
    assert found.is_certain


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_unknown_host(session: aiohttp.ClientSession, scheme: str) -> None:
    found = await trouble(session, f"{scheme}://no-such-host.invalid:8000")
    assert "host name cannot be resolved" in found.reason
    assert "DNS" in found.remedy


async def test_nothing_but_silence(session: aiohttp.ClientSession) -> None:
    async with saying(None) as port:
        with pytest.raises(ReplicaUnavailable, match="did not answer in time"):
            await check_health(session, f"http://127.0.0.1:{port}", timeout_s=0.2)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_missing_or_wrong(session: aiohttp.ClientSession, status: int) -> None:
    async with answering(status) as port:
        url = f"http://127.0.0.1:{port}"
        missing, wrong = await trouble(session, url), await trouble(session, url, api_key="s3cret")
    assert (missing.reason, missing.remedy) == (
        f"it requires an API key (/v1/models answered HTTP {status})",
        "set `token` of this replica in cato.toml",
    )
    assert "its API key was refused" in wrong.reason
    assert "correct `token`" in wrong.remedy
    assert "s3cret" not in str(wrong)
    assert missing.is_certain
    assert wrong.is_certain


async def test_a_key_is_sent(session: aiohttp.ClientSession) -> None:
    async with fake_vllm(Behaviour(api_key="s3cret")) as fake:
        assert "requires an API key" in (await trouble(session, fake.url)).reason
        found = await describe(session, "r", fake.url, api_key="s3cret")
        assert found.model == "cato-embedded"
        assert "s3cret" not in repr(found)


async def test_a_model_that_is_not_served(session: aiohttp.ClientSession) -> None:
    async with fake_vllm(Behaviour(model="this")) as fake:
        found = await trouble(session, fake.url, model="that")
    assert found.reason == "it serves 'this', not 'that'"
    assert "`model`" in found.remedy


async def test_plain_http_where_tls_is_spoken(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    tls, _ = server_tls(tmp_path)
    async with answering(tls=tls) as port:
        found = await trouble(session, f"http://127.0.0.1:{port}")
    assert "speaks TLS" in found.reason
    assert "https://" in found.remedy


async def test_a_proxy_that_answers_plain_http_on_its_port_of_tls(
    session: aiohttp.ClientSession,
) -> None:
    async with answering(400, "<h1>The plain HTTP request was sent to HTTPS port") as port:
        found = await trouble(session, f"http://127.0.0.1:{port}")
        assert "HTTP 400" in found.reason, "no TLS is spoken there"


async def test_tls_where_plain_http_is_spoken(session: aiohttp.ClientSession) -> None:
    async with answering() as port:
        found = await trouble(session, f"https://127.0.0.1:{port}")
    assert "speaks plain HTTP" in found.reason
    assert "http://" in found.remedy


@pytest.mark.parametrize("target", ["https://gpu.example.com/v1/models", "/login"])
async def test_a_redirection(session: aiohttp.ClientSession, target: str) -> None:
    async with answering(308, "", headers={"Location": target}) as port:
        found = await trouble(session, f"http://127.0.0.1:{port}")
    assert f"a redirection to {target}" in found.reason
    assert "url" in found.remedy


async def test_a_certificate_that_is_not_trusted(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    tls, _ = server_tls(tmp_path)
    async with answering(tls=tls) as port:
        found = await trouble(session, f"https://localhost:{port}")
    assert "certificate is not trusted" in found.reason
    assert "SSL_CERT_FILE" in found.remedy


async def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    tls, certificate = server_tls(tmp_path)
    trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=certificate))
    async with aiohttp.ClientSession(connector=trusting) as session, answering(tls=tls) as port:
        found = await trouble(session, f"https://127.0.0.1:{port}")
    assert "certificate is for another host name" in found.reason


@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
async def test_a_web_page(session: aiohttp.ClientSession, content_type: str) -> None:
    async with answering(text="\n<!doctype html><p>Sign in", content_type=content_type) as port:
        found = await trouble(session, f"http://127.0.0.1:{port}")
    assert "HTML in place of JSON" in found.reason
    assert "OpenAI-compatible" in found.remedy


@pytest.mark.parametrize(
    ("status", "word"), [(404, "OpenAI-compatible"), (429, "log"), (500, "log"), (503, "loading")]
)
async def test_a_status(session: aiohttp.ClientSession, status: int, word: str) -> None:
    async with answering(status) as port:
        found = await trouble(session, f"http://127.0.0.1:{port}")
    assert f"/v1/models answered HTTP {status}" in found.reason
    assert word in found.remedy
    assert not found.is_certain


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-"])
async def test_what_is_no_http(session: aiohttp.ClientSession, data: bytes) -> None:
    async with saying(data) as port:
        found = await trouble(session, f"http://127.0.0.1:{port}")
    assert "port" in found.remedy


async def test_health_is_what_its_path_says_or_the_models_where_there_is_none(
    session: aiohttp.ClientSession,
) -> None:
    async with fake_vllm() as fake:
        assert await is_healthy(session, fake.url)
        await fake.change(healthy=False)
        with pytest.raises(ReplicaUnavailable, match="/health answered HTTP 503"):
            await check_health(session, fake.url)
    async with answering(405) as port:
        with pytest.raises(ReplicaUnavailable, match="/v1/models answered HTTP 405"):
            await check_health(session, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("template", [True, False])
async def test_a_chat_template_is_found_out(session: aiohttp.ClientSession, template: bool) -> None:
    async with fake_vllm(Behaviour(chat_template=template)) as fake:
        replica = await describe(session, "r", fake.url)
        assert await has_chat_template(session, replica) is template


@pytest.mark.parametrize("takes", [True, False])
async def test_whether_a_chat_takes_a_system_message_is_found_out(
    session: aiohttp.ClientSession, takes: bool
) -> None:
    async with fake_vllm(Behaviour(system_message=takes)) as fake:
        replica = await describe(session, "r", fake.url)
        assert await has_chat_template(session, replica)
        assert await takes_system_message(session, replica) is takes


async def test_a_connection_that_fails_tells_nothing_of_what_a_server_can_do(
    session: aiohttp.ClientSession, closed_port: int
) -> None:
    replica = Replica("r", f"http://127.0.0.1:{closed_port}", "m", None)
    for feature in (has_chat_template, speaks_vllm, takes_system_message):
        with pytest.raises(ReplicaUnavailable, match="refused"):
            await feature(session, replica)
