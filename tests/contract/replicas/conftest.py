"""An engine's environment whose interpreter runs an emulated vLLM, whatever it is told to run."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from cato_backend.engines.command import EngineSpec
from cato_backend.engines.environments import EngineKind
from cato_backend.replicas.sockets import EngineConnector, SocketFolder, socket_folder

FAKE_PYTHON = """\
#!{python}
import argparse, os, runpy, sys

parser = argparse.ArgumentParser()
parser.add_argument("--uds")
parser.add_argument("--served-model-name")
parser.add_argument("--die-at-load", action="store_true")
arguments, _ = parser.parse_known_args()
print("Resolved architecture: Fake", flush=True)
if arguments.die_at_load:
    print("ValueError: this model is no model", flush=True)
    sys.exit(1)
if os.fork() == 0:
    import signal
    signal.pause()
sys.argv = ["cato", "emulate", "--uds", arguments.uds, "--model", arguments.served_model_name]
sys.argv += ["--max-model-len", "4096", "--ttft-ms", "0"]
runpy.run_module("cato_backend", run_name="__main__")
"""


@pytest.fixture
def engine(tmp_path: Path) -> EngineSpec:
    """What `LocalSpec` takes."""
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    return EngineSpec(EngineKind.CPU, python)


@pytest.fixture
def sockets() -> Iterator[SocketFolder]:
    """Where the engines' sockets are."""
    with socket_folder() as folder:
        yield folder


@pytest.fixture
async def session(sockets: SocketFolder) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(connector=EngineConnector(sockets)) as opened:
        yield opened
