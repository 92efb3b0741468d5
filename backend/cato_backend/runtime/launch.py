"""From the configuration to launchers: which replicas to start, on what, and which to watch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from cato_backend.config import EMBEDDED, Config, ModelConfig, ReplicaConfig
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.command import EngineSpec, ModelSpec, most_sequences, share_cores
from cato_backend.engines.environments import find_environment
from cato_backend.engines.gpus import Gpu, detect_gpus
from cato_backend.engines.models import check_model, choose_model, hub_has
from cato_backend.engines.pins import EngineKind
from cato_backend.errors import ConfigError
from cato_backend.replicas.local import LocalLauncher, LocalSpec
from cato_backend.replicas.replica import Launcher
from cato_backend.replicas.static import StaticLauncher, StaticSpec
from cato_backend.runtime.fleet import Expected, Fleet
from cato_backend.runtime.profiles import (
    CPU,
    hardware_of,
    local_profile,
    static_profile,
    with_slots,
)
from cato_backend.tasks.detection import family_names
from cato_backend.wire.paths import state_dir


@dataclass(frozen=True, slots=True)
class Planned:
    """A replica to start on this machine."""

    spec: LocalSpec
    expected: Expected


def check_families(config: Config) -> None:
    """Raises ConfigError for a `fim` that is no family."""
    named = [(f"models.{i}.fim", model.fim) for i, model in enumerate(config.models)]
    named += [(f"replicas.{i}.fim", replica.fim) for i, replica in enumerate(config.replicas)]
    for field, family in named:
        if family not in family_names():
            raise ConfigError.of(field, family, "one of " + ", ".join(family_names()))


def choose_path() -> tuple[str, str]:
    """The path of the model to serve where the user leaves it to us, and why."""
    gpus = detect_gpus()
    if not gpus:
        return choose_model(gpus, lambda _: False, EMBEDDED)
    python = find_environment(EngineKind.GPU).python
    return choose_model(gpus, lambda name: hub_has(python, name), EMBEDDED)


def plan_local(config: Config) -> tuple[Planned, ...]:
    """The replicas of `[[models]]`. Raises EngineError, ConfigError where one cannot be started."""
    if not config.models:
        return ()
    gpus = detect_gpus() if config.engine.kind != "cpu" else ()
    if config.engine.kind == "gpu" and not gpus:
        raise ConfigError.of("engine.kind", "gpu", "cpu: NVML finds no GPU on this machine")
    wanted = [model for model in config.models for _ in range(model.replicas)]
    if gpus and len(wanted) > len(gpus):
        raise ConfigError.of(
            "models", f"{len(wanted)} replicas", f"at most one per GPU: {len(gpus)}"
        )
    engines = list(_engines(gpus, len(wanted)))
    return tuple(
        _planned(config, model, engine, hardware, number)
        for number, (model, (engine, hardware)) in enumerate(
            zip(wanted, engines, strict=True), start=1
        )
    )


def launchers(
    config: Config,
    planned: tuple[Planned, ...],
    session: aiohttp.ClientSession,
    fleet: Fleet,
) -> Iterator[Launcher]:
    """A launcher for each replica, announced to the fleet."""
    for plan in planned:
        replica_id = plan.spec.replica_id
        fleet.expect(replica_id, plan.expected)
        yield LocalLauncher(plan.spec, session, _Notes(fleet, replica_id))
    for number, replica in enumerate(config.replicas, start=1):
        spec = StaticSpec(
            replica_id=f"static-{number}",
            url=replica.url.rstrip("/"),
            model=replica.model,
            api_key=replica.token or None,
        )
        fleet.expect(spec.replica_id, _expected(config, replica))
        yield StaticLauncher(spec, session)


@dataclass(frozen=True, slots=True)
class _Notes:
    """Hands a launcher's notes on under the replica's name."""

    fleet: Fleet
    replica_id: str

    def __call__(self, text: str) -> None:
        self.fleet.on_note(self.replica_id, text)


def _engines(gpus: tuple[Gpu, ...], count: int) -> Iterator[tuple[EngineSpec, str]]:
    """An engine for each replica, and its hardware: a GPU each in turn, or a share of the cores."""
    if gpus:
        python = find_environment(EngineKind.GPU).python
        for index in range(count):
            gpu = gpus[index]
            engine = EngineSpec(
                EngineKind.GPU, python, gpu=gpu.index, gpu_memory_utilization=gpu.utilization
            )
            yield engine, hardware_of(gpu.name)
        return
    python = find_environment(EngineKind.CPU).python
    for cores in share_cores(sorted(os.sched_getaffinity(0)), count):
        yield EngineSpec(EngineKind.CPU, python, cores=cores), CPU


def _planned(
    config: Config, model: ModelConfig, engine: EngineSpec, hardware: str, number: int
) -> Planned:
    default = config.scheduling.max_running_per_replica
    max_running = most_sequences(model.engine_args, default)
    path = _path_of(model)
    spec = LocalSpec(
        replica_id=f"replica-{number}",
        model=ModelSpec(model.name, path, model.max_model_len),
        engine=replace(engine, max_num_seqs=max_running, arguments=model.engine_args),
        log=state_dir() / "logs" / f"replica-{number}.log",
        start_timeout_s=config.engine.start_timeout_s,
    )
    profile = local_profile(config, model, hardware)
    return Planned(spec, Expected(max_running, model.fim, with_slots(profile, max_running)))


def _expected(config: Config, replica: ReplicaConfig) -> Expected:
    profile = static_profile(config, replica)
    max_running = replica.max_running or config.scheduling.max_running_per_replica
    if profile is not None:
        max_running = min(max_running, profile.limits.max_num_seqs)
    return Expected(max_running, replica.fim, profile)


def _path_of(model: ModelConfig) -> str:
    if model.path == EMBEDDED:
        return str(verified_folder())
    check_model(model.path)
    path = Path(model.path).expanduser()
    return str(path) if path.is_dir() else model.path
