"""One cluster for all tests of this folder, in their order: the last one kills its head."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from bench.peers.emulators import write_profile
from tests.e2e.ray.clusters import Cluster, make_interpreter, ray_cluster


@pytest.fixture(scope="package")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has Ray."""
    return make_interpreter(tmp_path_factory.mktemp("python") / "ray")


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def cluster(
    python: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Cluster]:
    """A head and three nodes."""
    async with ray_cluster(python, tmp_path_factory.mktemp("cluster"), nodes=3) as cluster:
        yield cluster


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The emulated replicas' latency profile, by which a fleet is planned."""
    return write_profile(tmp_path / "profile.json", 1.0)
