"""EndpointSlices, listed and watched at an API server that behaves as Kubernetes' own does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from cato_backend.config import DiscoveryConfig
from cato_backend.discovery.addresses import make_source
from cato_backend.discovery.source import Source
from cato_backend.errors import ConfigError, SourceUnavailable
from tests.fast.discovery.api_server import ApiServer, api_server, endpoint_slice


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as server, asyncio.timeout(20):
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("first-token\n")
    return tmp_path


@pytest.fixture
def source(server: ApiServer, session: aiohttp.ClientSession, account: Path) -> Source:
    return make_source("k8s://models/vllm", config(server, account), session)


def config(server: ApiServer, account: Path) -> DiscoveryConfig:
    return DiscoveryConfig(kubernetes_api=server.url, kubernetes_account=str(account))


class Following:
    """What a source lists, one after the other."""

    def __init__(self, source: Source) -> None:
        self._listings = source.follow()

    async def urls(self) -> list[str]:
        listing = await anext(self._listings)
        return [each.url.removeprefix("http://") for each in listing.replicas]


async def test_endpoints_join_and_leave_as_they_are_watched(
    server: ApiServer, source: Source
) -> None:
    server.set(endpoint_slice("a", "10.0.0.1", "10.0.0.2"))
    following = Following(source)
    assert await following.urls() == ["10.0.0.1:8000", "10.0.0.2:8000"]
    server.set(endpoint_slice("b", "10.0.0.3"))
    assert await following.urls() == ["10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000"]
    server.set(endpoint_slice("a", "10.0.0.2"))
    assert await following.urls() == ["10.0.0.2:8000", "10.0.0.3:8000"]
    server.delete("b")
    assert await following.urls() == ["10.0.0.2:8000"]
    assert server.lists == 1


async def test_a_watch_that_ends_goes_on_where_it_ended(server: ApiServer, source: Source) -> None:
    server.set(endpoint_slice("a", "10.0.0.1"))
    following = Following(source)
    await following.urls()
    waiting = asyncio.create_task(following.urls())
    await server.watched.wait()
    server.bookmark()
    server.cut()
    server.set(endpoint_slice("a", "10.0.0.2"))
    assert await waiting == ["10.0.0.2:8000"]
    assert (server.lists, server.watches) == (1, 2)


@pytest.mark.parametrize("as_event", [False, True])
async def test_a_version_that_is_gone_is_listed_again(
    server: ApiServer, source: Source, as_event: bool
) -> None:
    server.set(endpoint_slice("a", "10.0.0.1"))
    following = Following(source)
    await following.urls()
    waiting = asyncio.create_task(following.urls())
    await server.watched.wait()
    server.set(endpoint_slice("a", "10.0.0.2"))
    assert await waiting == ["10.0.0.2:8000"]
    waiting = asyncio.create_task(following.urls())
    if as_event:
        server.fail_watches()
    else:
        server.forget()
        server.cut()
    assert await waiting == ["10.0.0.2:8000"]
    assert server.lists == 2


async def test_a_long_list_comes_in_pages(server: ApiServer, source: Source) -> None:
    server.page_size = 2
    for number in range(5):
        server.set(endpoint_slice(f"s{number}", f"10.0.0.{number}"))
    assert len(await Following(source).urls()) == 5
    assert server.lists == 3


async def test_who_is_not_ready_is_not_listed(server: ApiServer, source: Source) -> None:
    value = endpoint_slice("a", "10.0.0.1", "10.0.0.2", "10.0.0.3")
    value["endpoints"][0]["conditions"] = {"ready": False, "terminating": True}
    value["endpoints"][1]["conditions"] = {}
    server.set(value)
    assert await Following(source).urls() == ["10.0.0.2:8000", "10.0.0.3:8000"]


@pytest.mark.parametrize(
    ("port", "urls"),
    [
        ("", ["http://10.0.0.1:8000"]),
        (":metrics", ["http://10.0.0.1:9000"]),
        (":9000", ["http://10.0.0.1:9000"]),
        (":https", ["https://10.0.0.1:8443"]),
        (":other", []),
    ],
)
async def test_the_port_is_chosen_by_name_or_number(
    server: ApiServer, session: aiohttp.ClientSession, account: Path, port: str, urls: list[str]
) -> None:
    ports = [
        {"name": "http", "port": 8000},
        {"name": "metrics", "port": 9000},
        {"name": "https", "port": 8443},
    ]
    server.set(endpoint_slice("a", "10.0.0.1", ports=ports))
    source = make_source(f"k8s://models/vllm{port}", config(server, account), session)
    listing = await anext(source.follow())
    assert [each.url for each in listing.replicas] == urls


async def test_addresses_of_version_six(server: ApiServer, source: Source) -> None:
    server.set(endpoint_slice("a", "fd00::1", addressType="IPv6"))
    assert await Following(source).urls() == ["[fd00::1]:8000"]


async def test_a_refused_account_is_named_and_a_new_token_is_read(
    server: ApiServer, source: Source, account: Path
) -> None:
    server.token = "second-token"
    with pytest.raises(SourceUnavailable, match="refuses the service account") as raised:
        await Following(source).urls()
    assert "first-token" not in str(raised.value)
    (account / "token").write_text("second-token")
    server.set(endpoint_slice("a", "10.0.0.1"))
    assert await Following(source).urls() == ["10.0.0.1:8000"]


async def test_a_foreign_namespace_is_refused(
    server: ApiServer, session: aiohttp.ClientSession, account: Path
) -> None:
    source = make_source("k8s://other/vllm", config(server, account), session)
    with pytest.raises(SourceUnavailable, match="HTTP 403"):
        await Following(source).urls()


async def test_an_account_without_a_token_is_named(
    server: ApiServer, source: Source, account: Path
) -> None:
    (account / "token").unlink()
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        await Following(source).urls()


async def test_a_server_that_is_away_is_named(
    session: aiohttp.ClientSession, account: Path
) -> None:
    async with api_server() as server:
        told = config(server, account)
    with pytest.raises(SourceUnavailable, match="does not answer"):
        await Following(make_source("k8s://models/vllm", told, session)).urls()


async def test_outside_of_a_pod_the_api_must_be_named(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match=r"discovery\.kubernetes_api"):
        make_source("k8s://models/vllm", DiscoveryConfig(), session)


@pytest.mark.parametrize("address", ["10.0.0.1/metadata", "pod@10.0.0.1", "10.0.0.1?x", ""])
async def test_an_address_that_is_none_is_named_and_the_others_are_used(
    server: ApiServer, source: Source, address: str
) -> None:
    server.set(endpoint_slice("a", address, "fd00::7"))
    listing = await anext(source.follow())
    assert [each.url for each in listing.replicas] == ["http://[fd00::7]:8000"]
    assert "expected a host name or an IP address" in listing.complaint
