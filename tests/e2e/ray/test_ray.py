"""Replicas on a real Ray cluster of several nodes, under load: nothing that was asked is lost."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cato_lsp.backend.replicas import read_sources
from cato_lsp.commands.backend_checks import check_sources
from tests.contract.gateway.serving import Serve
from tests.contract.gateway.steady_load import loaded
from tests.e2e.ray.clusters import Cluster, serving_on, start_on
from tests.e2e.waiting import wait_for

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(300)]

POLL_S = 0.1

EMULATED = """
[engine]
kind = "emulated"
[[models]]
name = "cato-emulated"
path = "cato-emulated"
replicas = 2
"""
SCALED = """
[engine]
kind = "emulated"
[[models]]
name = "cato-emulated"
path = "cato-emulated"
profile = "PROFILE"
[provisioning]
min_replicas = 1
max_replicas = 3
rule = "queue-length"
interval_s = 0.2
[provisioning.settings]
target_ongoing_requests = 4
look_back_s = 1
upscale_delay_s = 0
downscale_delay_s = 2
"""


async def health(serve: Serve) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{serve.url}/health") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def wait_up(serve: Serve, replicas: int) -> None:
    """Returns once so many are up, and there are no others."""
    async with asyncio.timeout(90):
        while True:
            states = [each["state"] for each in (await health(serve))["replicas"]]
            if states == ["up"] * replicas:
                return
            await asyncio.sleep(POLL_S)


def engine_pid(replica_id: str) -> int:
    """The process of a replica's engine, found by the log that its warden writes."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "cato_backend.replicas.warden" in words and f"/ray/{replica_id}-" in " ".join(words):
            return int(folder.name)
    raise AssertionError(f"no warden of {replica_id}")


async def test_another_version_of_ray_is_refused_by_name(
    python: Path, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import ray\nray.__version__ = '1.2.3'\n")
    serve = await start_on(python, tmp_path, cluster.address, EMULATED, PYTHONPATH=str(tmp_path))
    assert await serve.wait_ended(within_s=60) == 1
    last = serve.said.splitlines()[-1]
    assert "Version mismatch" in last
    assert "Ray: 1.2.3" in last
    assert last.endswith("install the cluster's versions of Ray and Python here")


async def test_the_fleet_follows_the_load(
    python: Path, cluster: Cluster, profile: Path, tmp_path: Path
) -> None:
    config = SCALED.replace("PROFILE", str(profile))
    async with serving_on(python, tmp_path, cluster.address, config) as serve:
        await wait_up(serve, 1)
        async with loaded(serve.url, 1) as base:
            async with loaded(serve.url, 10) as load:
                await wait_up(serve, 3)
                await load.wait_answered(20)
            await wait_up(serve, 1)
            await base.wait_answered(5)
        assert "drains" in serve.said
        cpus = (await health(serve))["inventory"]["ray"]["CPU"]
        assert cpus["total"] > cpus["free"] >= 0


async def test_a_node_dies_and_its_replica_comes_back_elsewhere(
    python: Path, cluster: Cluster, tmp_path: Path
) -> None:
    async with serving_on(python, tmp_path, cluster.address, EMULATED) as serve:
        await wait_up(serve, 2)
        log = tmp_path / "state" / "logs" / "replica-1.log"
        await asyncio.to_thread(wait_for, "its log", lambda: is_written(log))
        async with loaded(serve.url, 6) as load:
            await load.wait_answered(6)
            await cluster.kill_node_of(engine_pid("replica-1"))
            await serve.wait_said("replica-1: down: ")
            await load.wait_answered(20)
            await wait_up(serve, 2)
            await load.wait_answered(20)
        assert "its node or its actor died" in serve.said


def is_written(log: Path) -> bool:
    return log.is_file() and "http://" in log.read_text()


async def test_the_head_dies_and_what_runs_goes_on(
    python: Path, cluster: Cluster, tmp_path: Path
) -> None:
    async with serving_on(python, tmp_path, cluster.address, EMULATED) as serve:
        await wait_up(serve, 2)
        async with loaded(serve.url, 4) as load:
            await cluster.kill_head()
            await serve.wait_said("ray: ")
            await load.wait_answered(40)
        await wait_up(serve, 2)
        found = await health(serve)
        assert found["status"] == "ok"
        (finding,) = check_sources(read_sources(found))
        assert "what runs goes on" in str(finding)
        assert len(re.findall(r"\] ray: ", serve.said)) == 1

        await cluster.restart(nodes=2)
        await serve.wait_said("ray: it answers")
        await wait_up(serve, 2)
        async with loaded(serve.url, 4) as load:
            await load.wait_answered(20)
