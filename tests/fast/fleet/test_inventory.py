"""The inventory as it is sampled: gauges, others' processes, and what is refused before a start."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from cato_backend.config import parse_config
from cato_backend.engines.nvml import Gpu
from cato_backend.errors import ConfigError
from cato_backend.fleet.inventory import Inventory
from cato_backend.fleet.launch import plan_local

GB = 1_000_000_000


async def test_gpus_are_in_the_metrics_and_own_processes_are_no_others() -> None:
    registry = CollectorRegistry()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=PIPE)
    try:
        processes = (child.pid, os.getppid())
        gpu = Gpu(0, "L40S", 48 * GB, 30 * GB, "MIG-a", busy=0.25, processes=processes)
        inventory = Inventory(lambda: (gpu,), registry)
        assert await inventory.look()
    finally:
        await child.communicate(b"\n")
    text = generate_latest(registry).decode()
    assert 'cato_gpu_memory_bytes{gpu="0/MIG-a",name="L40S",state="free"} 3e+10' in text
    assert 'cato_gpu_processes_of_others{gpu="0/MIG-a",name="L40S"} 1.0' in text
    assert 'cato_gpu_busy_ratio{gpu="0/MIG-a",name="L40S"} 0.25' in text


async def test_a_machine_without_a_gpu_is_looked_at_once() -> None:
    looks: list[None] = []

    def read() -> tuple[Gpu, ...]:
        looks.append(None)
        return ()

    await Inventory(read, CollectorRegistry()).run(0.001)
    assert len(looks) == 1


def test_the_resources_of_a_ray_cluster_are_in_the_metrics() -> None:
    registry = CollectorRegistry()
    inventory = Inventory(lambda: (), registry)
    inventory.on_ray({"GPU": 8.0, "node:10.0.0.7": 1.0}, {"GPU": 3.0})
    text = generate_latest(registry).decode()
    assert 'cato_ray_resources{resource="GPU",state="free"} 3.0' in text
    assert inventory.ray() == {"GPU": {"total": 8.0, "free": 3.0}}


def config_of(gpus: Path, *models: dict[str, Any], **sections: Any) -> Any:
    listed = [{"name": f"m{n}", "path": "x"} | model for n, model in enumerate(models)]
    return parse_config(
        {"engine": {"kind": "emulated"}, "inventory": {"file": str(gpus)}, "models": listed}
        | sections
    )


@pytest.fixture
def one_l4(tmp_path: Path) -> Path:
    file = tmp_path / "gpus.toml"
    file.write_text('[[gpus]]\ngpu = "l4"\nnode = "a"\n')
    return file


def test_emulated_replicas_stand_on_gpus_that_are_not_bought_yet(one_l4: Path) -> None:
    planned = plan_local(config_of(one_l4, {"memory_gb": 8}, {"memory_gb": 8}))
    assert [plan.seat and plan.seat.gpu.label for plan in planned] == ["a/0", "a/0"]


def test_a_model_that_is_larger_than_a_gpu_stands_on_several(tmp_path: Path) -> None:
    """The memory is divided, and the price is that of all its GPUs."""
    file = tmp_path / "gpus.toml"
    file.write_text('[[gpus]]\ngpu = "l4"\ncount = 2\nnode = "a"\n')
    (plan,) = plan_local(config_of(file, {"memory_gb": 36, "tensor_parallel": 2}))
    assert plan.seat is not None
    assert [gpu.label for gpu in plan.seat.gpus] == ["a/0", "a/1"]
    assert plan.seat.held == 18 * GB
    assert plan.expected.gpus == pytest.approx(36 / (24 * 0.92))


@pytest.mark.parametrize(
    ("models", "sections", "said"),
    [
        (({"memory_gb": 30},), {}, "models.0: a replica needs 30.0 GB"),
        (({}, {}), {}, "models.1: of at least 1 replicas 0 fit beside"),
        (({"max_replicas": 2, "min_replicas": 1},), {}, "models.0.max_replicas: got 2"),
        (({},), {"engine": {"kind": "cpu"}}, "inventory.file: got"),
        (({"tensor_parallel": 2},), {}, "models.0.tensor_parallel: got 2, expected at most 1"),
    ],
)
def test_what_the_inventory_cannot_hold_is_refused(
    one_l4: Path, models: tuple[dict[str, Any], ...], sections: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        plan_local(config_of(one_l4, *models, **sections))
    assert said in str(refused.value)


def test_an_engine_on_cores_does_not_sleep() -> None:
    model = {"name": "m", "path": "embedded", "sleep": True, "max_replicas": 1}
    config = parse_config({"engine": {"kind": "cpu"}, "models": [model]})
    with pytest.raises(ConfigError, match=r"models\.0\.sleep: got True, expected false"):
        plan_local(config)
