"""The engine's environment, real backends, and what is built once for all tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer

from cato_backend import __version__
from cato_backend.engines.environments import EngineKind, Environment, find_environment
from tests.commands import CATO
from tests.e2e.real import RealBackend, serve
from tests.e2e.sharing import ByGroup, built_once, in_order

PROJECT = Path(__file__).parents[2]

CROWDED = """
# One at a time in the engine, two at a time from the gateway: so a second request waits in the
# engine for its first token, and a third in the gateway's queue, as long as the first one runs.
# (vLLM takes an abbreviated option, too. The gateway does not read it: it would send only one.)
# The default policy would learn from the streams that the engine runs one, and send one.
[scheduling]
policy = "least-outstanding-tokens"
max_running_per_replica = 2
max_wait_s = 600
[[models]]
name = "cato-embedded"
path = "embedded"
engine_args = ["--max-num-seq", "1"]
[engine]
kind = "cpu"
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    in_order(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    return ByGroup(config, log)


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of this run that all of pytest's processes have in common."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def wheel_path(common_folder: Path) -> Path:
    """Where the wheel is, once a test needs it."""
    return common_folder / "wheel" / f"cato_lsp-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="session")
def wheel(wheel_path: Path) -> Path:
    """The distribution, as `pip` would download it."""
    assert built_once(wheel_path.parent, _build_wheel) == wheel_path
    return wheel_path


def _build_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(PROJECT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def engine() -> Environment:
    """The CPU engine's environment, built when it is absent."""
    subprocess.run([*CATO, "engine", "install", "cpu"], check=True)
    return find_environment(EngineKind.CPU)


@pytest.fixture(scope="session")
def real_backend(
    engine: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealBackend]:
    """`cato serve` with one real vLLM, as it comes; for tests that leave it alive."""
    with serve(tmp_path_factory.mktemp("real"), '[engine]\nkind = "cpu"\n') as backend:
        yield backend


@pytest.fixture(scope="module")
def crowded_backend(
    engine: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealBackend]:
    """`cato serve` with one real vLLM that is soon busy; its tests may kill it, in their order."""
    with serve(tmp_path_factory.mktemp("crowded"), CROWDED) as backend:
        yield backend
