"""A fake vLLM and a launcher of language servers for each test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cato_lab.emulator import Behaviour, Emulator
from tests.contract.lsp.backends import gateway
from tests.contract.lsp.launching import Launcher, environment, listening_at
from tests.fakes import fake_vllm


@pytest.fixture
async def fake() -> AsyncIterator[Emulator]:
    """An OpenAI-compatible server that answers at once; tests change its script."""
    async with fake_vllm(Behaviour(reply="a + b\n")) as running:
        yield running


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A server on TCP for all tests: starting one takes longer than most of them."""
    folder = tmp_path_factory.mktemp("shared")
    command = [sys.executable, "-m", "cato_lsp", "--tcp", "--port", "0"]
    with subprocess.Popen(
        command, env=environment(folder), stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        yield listening_at(server.stderr.readline())
        server.terminate()


@pytest.fixture
async def launch(tmp_path: Path, shared_server: tuple[str, int]) -> AsyncIterator[Launcher]:
    """Starts servers and connects editors; everything it started is ended."""
    launcher = Launcher(tmp_path, shared_server)
    yield launcher
    await launcher.end()


@pytest.fixture
async def url(fake: Emulator, tmp_path: Path) -> AsyncIterator[str]:
    """A gateway before a model that follows instructions."""
    await fake.change(model="coder-instruct", reply="Adds two numbers.")
    async with gateway(fake, tmp_path) as address:
        yield address
