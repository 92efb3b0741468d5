"""A host name that stops resolving: in one process, where the test answers for names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from cato_backend.app.backend import running_backend
from cato_backend.config import parse_config
from cato_backend.gateway.server import listen
from cato_lab.emulator import Emulator
from tests.contract.gateway.site import COMPLETIONS
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="package")

HOST = "replica.test"
BODY = {"prompt": "x", "max_tokens": 3}


@dataclass
class Names:
    """In place of the machine's resolver."""

    known: dict[str, str] = field(default_factory=dict[str, str])
    asked: int = 0

    def getaddrinfo(self, host: Any, *rest: Any, **more: Any) -> Any:
        if host == HOST:
            self.asked += 1
            if HOST not in self.known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = self.known[HOST]
        return ORIGINAL(host, *rest, **more)


ORIGINAL = socket.getaddrinfo


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Names:
    """The test's own."""
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


@dataclass
class Inside:
    """A gateway in this process."""

    url: str
    said: list[str]
    http: aiohttp.ClientSession

    async def status(self, e2e_ms: int) -> int:
        headers = {"x-slo-e2e-ms": str(e2e_ms)}
        async with self.http.post(self.url + COMPLETIONS, json=BODY, headers=headers) as answer:
            return answer.status


@pytest_asyncio.fixture(loop_scope="package")
async def fake() -> AsyncGenerator[Emulator]:
    async with fake_vllm() as replica:
        yield replica


@pytest_asyncio.fixture(loop_scope="package")
async def inside(fake: Emulator, names: Names) -> AsyncGenerator[Inside]:
    port = urlsplit(fake.url).port
    config = parse_config(
        {
            "server": {"port": 0},
            "scheduling": {"max_attempts": 1, "scrape_s": 0},
            "health_check": {"interval_s": 60, "models_interval_s": 60},
            "replicas": [{"url": f"http://{HOST}:{port}"}],
        }
    )
    said: list[str] = []
    listener = listen(config.server)
    async with (
        running_backend(config, listener, (), said.append),
        aiohttp.ClientSession() as http,
    ):
        yield Inside(listener.url, said, http)


async def test_a_name_that_resolves_later(inside: Inside, names: Names) -> None:
    assert await inside.status(300) == 503
    held = asyncio.create_task(inside.status(20_000))
    names.known[HOST] = "127.0.0.1"
    assert await held == 200
    down, up = (line for line in inside.said if line.startswith("static-1"))
    assert "host name cannot be resolved" in down
    assert "static-1: up: " in up


async def test_a_name_that_stops_resolving(inside: Inside, names: Names, fake: Emulator) -> None:
    """Requests that cannot be sent are held, and the replica is not looked for in a tight loop."""
    names.known[HOST] = "127.0.0.1"
    assert await inside.status(20_000) == 200
    names.known.clear()
    await fake.change(accepting=False)  # Kept connections need no name.
    await fake.change(accepting=True)
    asked = names.asked
    assert await inside.status(1500) == 503
    assert names.asked - asked < 30
    held = asyncio.create_task(inside.status(20_000))
    names.known[HOST] = "127.0.0.1"
    assert await held == 200
