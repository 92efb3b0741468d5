"""Lists of replicas that others run: who is listed serves, who is listed no more is drained."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cato_lab.emulator import Behaviour, Emulator
from tests.contract.gateway.serving import refusal, serving
from tests.contract.gateway.site import Site, eventually
from tests.contract.gateway.steady_load import loaded
from tests.fakes import fake_vllm
from tests.fast.discovery.api_server import api_server, endpoint_slice

pytestmark = pytest.mark.asyncio(loop_scope="package")

LONG = {"prompt": "x", "max_tokens": 60, "stream": True}
QUICK = '[scheduling]\npolicy = "least-outstanding-tokens"\n[health_check]\ninterval_s = 0.1\n'


@asynccontextmanager
async def two_fakes() -> AsyncGenerator[tuple[Emulator, Emulator]]:
    slow = Behaviour(model="a", itl_ms=20)
    async with fake_vllm(slow) as first, fake_vllm(slow) as second:
        yield first, second


@asynccontextmanager
async def following(
    folder: Path, source: str, *fakes: Emulator, config: str = QUICK
) -> AsyncGenerator[Site]:
    async with (
        serving(folder, "--replicas-from", source, config=config) as serve,
        aiohttp.ClientSession() as http,
    ):
        yield Site(serve, list(fakes), http)


async def health(site: Site) -> Any:
    return (await site.call("GET", "/health")).json


async def ids(site: Site) -> list[str]:
    return [each["id"] for each in (await health(site))["replicas"]]


async def trouble(site: Site) -> str:
    (source,) = (await health(site))["sources"]
    return str(source["trouble"])


def write(path: Path, *lines: str) -> None:
    """Replaces the file whole, as people are told to."""
    new = path.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in lines))
    new.replace(path)


async def test_who_leaves_the_file_is_drained_under_load(tmp_path: Path) -> None:
    listed = tmp_path / "replicas"
    async with two_fakes() as (first, second):
        write(listed, first.url, second.url)
        async with following(tmp_path, str(listed), first, second) as site:
            await site.serve.wait_said(": up: ", 2)
            async with loaded(site.url, 4) as load:
                await load.wait_answered(4)
                long = asyncio.create_task(site.post(LONG, x_slo_e2e_ms=20_000))
                await load.wait_answered(2)
                write(listed, second.url)
                await site.serve.wait_said("found-1: is no longer listed")
                asked = len(first.state.requests)
                await load.wait_answered(8)
                assert len(first.state.requests) == asked
            assert (await long).status == 200
            await eventually(lambda found: bool(found == ["found-2"]), lambda: ids(site))


async def test_who_is_listed_again_while_it_is_drained_stays(tmp_path: Path) -> None:
    listed = tmp_path / "replicas"
    async with two_fakes() as (first, second):
        await first.change(itl_ms=100)
        write(listed, first.url)
        async with following(tmp_path, str(listed), first, second) as site:
            await site.serve.wait_said(": up: ")
            long = asyncio.create_task(site.post(LONG, x_slo_e2e_ms=20_000))
            await eventually(is_running, lambda: health(site))
            write(listed, second.url)
            await site.serve.wait_said("found-1: is no longer listed")
            write(listed, first.url, second.url)
            await site.serve.wait_said("found-1: is listed again")
            assert (await long).status == 200
            assert await ids(site) == ["found-1", "found-2"]
            assert (await site.post(LONG, x_slo_e2e_ms=20_000)).status == 200


async def test_an_empty_or_broken_list_removes_no_replica(tmp_path: Path) -> None:
    listed = tmp_path / "replicas"
    async with two_fakes() as (first, second):
        write(listed, first.url, second.url)
        async with following(tmp_path, str(listed), first, second) as site:
            await site.serve.wait_said(": up: ", 2)
            write(listed)
            await site.serve.wait_said("it lists no replica; what it listed last is kept (2)")
            listed.unlink()
            await eventually(lambda said: "No such file" in said, lambda: trouble(site))
            assert await ids(site) == ["found-1", "found-2"]
            assert (await site.post(LONG, x_slo_e2e_ms=20_000)).status == 200
            write(listed, first.url, second.url)
            await site.serve.wait_said("it answers")
            assert await trouble(site) == ""


async def test_a_bad_line_is_named_and_the_others_serve(tmp_path: Path) -> None:
    listed = tmp_path / "replicas"
    async with two_fakes() as (first, second):
        write(listed, first.url, "no url at all", f'{{"url": "{second.url}", "model": "a"}}')
        async with following(tmp_path, str(listed), first, second) as site:
            await site.serve.wait_said(": up: ", 2)
            assert (await trouble(site)).startswith("line 2: url: expected")


async def test_a_server_of_the_configuration_is_not_listed_twice(tmp_path: Path) -> None:
    listed = tmp_path / "replicas"
    async with two_fakes() as (first, second):
        write(listed, first.url, second.url)
        config = f'{QUICK}[[replicas]]\nurl = "{first.url}"\n'
        async with following(tmp_path, str(listed), first, second, config=config) as site:
            await site.serve.wait_said(": up: ", 2)
            assert await ids(site) == ["static-1", "found-1"]


async def test_endpoints_of_kubernetes_join_and_leave(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first-token")
    async with two_fakes() as (first, second), api_server() as server:
        server.set(endpoint_slice("a", "127.0.0.1", port=port_of(first)))
        config = (
            f'{QUICK}[discovery]\nkubernetes_api = "{server.url}"\n'
            f'kubernetes_account = "{tmp_path}"\n'
        )
        source = "k8s://models/vllm"
        async with following(tmp_path, source, first, second, config=config) as site:
            await site.serve.wait_said("found-1: up: ")
            server.set(endpoint_slice("b", "127.0.0.1", port=port_of(second)))
            await site.serve.wait_said("found-2: up: ")
            server.delete("a")
            await eventually(lambda found: bool(found == ["found-2"]), lambda: ids(site))
            server.delete("b")
            await site.serve.wait_said("it lists no replica")
            assert await ids(site) == ["found-2"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("dns://vllm", "expected dns://NAME:PORT"),
        ("k8s://models", "expected k8s://NAMESPACE/SERVICE[:PORT]"),
        ("consul://vllm", "expected a file, dns://NAME:PORT"),
    ],
)
async def test_an_address_that_names_no_source_is_refused(
    tmp_path: Path, source: str, expected: str
) -> None:
    said = await refusal(tmp_path, "--replicas-from", source)
    assert f"discovery.sources: got {source!r}, {expected}" in said


def port_of(fake: Emulator) -> int:
    return int(fake.url.rpartition(":")[2])


def is_running(health: Any) -> bool:
    return any(each["running"] for each in health["replicas"])
