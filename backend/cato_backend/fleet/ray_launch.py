"""The replicas that are planned for a Ray cluster, and their launchers."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from cato_backend.config import Config, ModelConfig, most_replicas
from cato_backend.engines.command import EmulationSpec, EngineSpec
from cato_backend.engines.environments import EngineKind
from cato_backend.errors import ConfigError
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.launch import PlannedReplica, ReplicaProgress, planned_replica
from cato_backend.fleet.places import (
    ReplicaPlace,
    check_sleep,
    check_tensor_parallel,
    check_tensor_parallel_on_ray,
)
from cato_backend.fleet.profiles import CPU
from cato_backend.profile_files.hardware import joined_hardware
from cato_backend.ray_cluster.cluster import RayCluster
from cato_backend.ray_cluster.launcher import RayLauncher
from cato_backend.ray_cluster.orders import NodeShare
from cato_backend.replicas.replica import Launcher

_ON_NODE = Path("python")
"""The interpreter of the engine is found on the node."""
_ANY_GPU = "gpu"
_ADDRESS = re.compile(r"auto|(ray://)?([\w.-]+|\[[\da-fA-F:]+\]):\d{1,5}(/.*)?")


def plan_on_ray(config: Config) -> tuple[PlannedReplica, ...]:
    """Return the replicas of `[[models]]`, as many as there may ever be at once.

    Raises ConfigError.
    """
    check_sleep(config, has_gpus=True)
    check_tensor_parallel(config, has_gpus=config.engine.kind != "cpu")
    check_tensor_parallel_on_ray(config)
    wanted = [
        model for model in config.models for _ in range(most_replicas(model, config.provisioning))
    ]
    return tuple(
        planned_replica(config, model, _place(config, model), number, model.path)
        for number, model in enumerate(wanted, start=1)
    )


def check_ray(config: Config) -> None:
    """Raise ConfigError, ModuleNotFoundError where no replica can be started on Ray."""
    if not config.ray.address:
        return
    if not _ADDRESS.fullmatch(config.ray.address):
        expected = "HOST:PORT, auto or ray://HOST:PORT"
        raise ConfigError.of("ray.address", config.ray.address, expected)
    if importlib.util.find_spec("ray") is None:
        raise ModuleNotFoundError(name="ray")
    if config.replicas and not config.models:
        expected = "it only beside [[models]], whose replicas are started there"
        raise ConfigError.of("ray.address", config.ray.address, expected)


def _place(config: Config, model: ModelConfig) -> ReplicaPlace:
    if config.engine.kind == "emulated":
        return ReplicaPlace(EmulationSpec(), "emulated")
    if gpus := share_of(config, model).gpus:
        spread = model.tensor_parallel
        engine = EngineSpec(EngineKind.GPU, _ON_NODE, tensor_parallel=spread)
        return ReplicaPlace(engine, joined_hardware(_ANY_GPU, spread), gpus=gpus)
    return ReplicaPlace(EngineSpec(EngineKind.CPU, _ON_NODE), CPU)


def share_of(config: Config, model: ModelConfig) -> NodeShare:
    """Return what Ray sets aside for one replica of a model."""
    ray = config.ray
    gpus = ray.gpus
    if gpus is None:
        gpus = 0 if config.engine.kind in ("cpu", "emulated") else model.tensor_parallel
    return NodeShare(ray.cpus, gpus, ray.runtime_env, ray.orphan_s)


def ray_launchers(
    config: Config,
    planned: tuple[PlannedReplica, ...],
    session: aiohttp.ClientSession,
    fleet: Fleet,
    cluster: RayCluster,
) -> Iterator[Launcher]:
    """For the replicas that are started on the cluster's nodes."""
    models = {model.name: model for model in config.models}
    for plan in planned:
        share = share_of(config, models[plan.spec.model.name])
        replica_id = plan.spec.replica_id
        fleet.expect(replica_id, plan.expected)
        yield RayLauncher(plan.spec, share, cluster, session, ReplicaProgress(fleet, replica_id))
