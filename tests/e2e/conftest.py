"""What needs an engine: its environment and real backends."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from cato_backend.engines.environments import Environment, find_environment
from cato_backend.engines.pins import EngineKind
from tests.e2e.real import CATO, RealBackend, serve

CROWDED = """
# One at a time in the engine, two at a time from the gateway: so a second request waits in the
# engine for its first token, and a third in the gateway's queue, as long as the first one runs.
# (With underscores vLLM understands it too; with dashes the gateway would send only one.)
[scheduling]
max_running_per_replica = 2
max_wait_s = 600
[[models]]
name = "cato-embedded"
path = "embedded"
engine_args = ["--max_num_seqs", "1"]
[engine]
kind = "cpu"
"""


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
