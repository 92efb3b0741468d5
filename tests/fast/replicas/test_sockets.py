"""The folder of the engines' sockets, and both HTTP clients that connect by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from cato_backend.http1.servers import CannotConnect
from cato_backend.http1.upstreams import Upstreams
from cato_backend.replicas.sockets import EngineConnector, SocketFolder, socket_folder


@pytest.fixture
def sockets() -> Iterator[SocketFolder]:
    with socket_folder() as folder:
        yield folder


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[None]:
    """A server on a Unix socket that answers with the path it was asked for."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.path)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    try:
        yield
    finally:
        await runner.cleanup()


def address(sockets: SocketFolder) -> tuple[str, Path]:
    found = sockets.new("replica-1-abcd")
    assert found is not None
    return found


async def test_both_clients_reach_an_engine_by_its_socket(sockets: SocketFolder) -> None:
    url, path = address(sockets)
    upstreams = Upstreams(sockets=sockets)
    async with (
        listening(path),
        aiohttp.ClientSession(connector=EngineConnector(sockets)) as http,
    ):
        async with http.get(f"{url}/health") as response:
            assert await response.text() == "/health"
        reply = await upstreams.post(f"{url}/v1/completions", b"{}", {}, 5.0)
        assert await reply.read_all() == b"/v1/completions"
        reply.release()
        assert await upstreams.is_listening(url)
    upstreams.close()


async def test_an_engine_that_is_gone_is_no_connection(sockets: SocketFolder) -> None:
    url, path = address(sockets)
    upstreams = Upstreams(sockets=sockets)
    async with listening(path):
        pass
    path.touch()
    for _ in ("a file that nobody listens on", "no file"):
        async with aiohttp.ClientSession(connector=EngineConnector(sockets)) as http:
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.get(f"{url}/health")
        with pytest.raises(CannotConnect):
            await upstreams.post(f"{url}/v1/completions", b"{}", {}, 5.0)
        assert not await upstreams.is_listening(url)
        path.unlink(missing_ok=True)


async def test_other_hosts_are_reached_by_tcp(sockets: SocketFolder) -> None:
    assert sockets.of_host("127.0.0.1") is None
    assert sockets.of_host(None) is None
    assert SocketFolder().of_host("replica-1.sock") is None
    assert SocketFolder().new("replica-1") is None


def test_the_socket_folder_is_private_and_is_removed() -> None:
    with socket_folder() as folder:
        assert folder.path is not None
        assert folder.path.stat().st_mode & 0o777 == 0o700
    assert not folder.path.exists()


def test_a_folder_whose_path_is_too_long_for_sockets_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with socket_folder() as folder:
        assert folder.path is not None
        assert long not in folder.path.parents
