"""Every replica that is planned or configured: its place on this machine, and its start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from cato_backend.config import EMBEDDED, Config, ModelConfig, ReplicaConfig
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.command import (
    EmulationSpec,
    EngineSpec,
    ModelSpec,
    share_cores,
)
from cato_backend.engines.environments import EngineKind, find_environment
from cato_backend.engines.gpus import Gpu, check_model, detect_gpus
from cato_backend.errors import ConfigError, EngineError
from cato_backend.fleet.engine_limits import limits_of, told_limits
from cato_backend.fleet.fleet import Expected, Fleet
from cato_backend.fleet.profiles import CPU, local_profile, static_profile, with_limits
from cato_backend.model_store.registry import KnownModel, find_known, find_stored
from cato_backend.profile_files.hardware import gpu_hardware
from cato_backend.profile_files.profile import EngineLimits
from cato_backend.replicas.local import LocalLauncher, LocalSpec
from cato_backend.replicas.replica import Launcher
from cato_backend.replicas.watch import WatchedServer
from cato_backend.tasks.detection import family_names
from cato_backend.wire.paths import state_dir

Place = tuple[EngineSpec | EmulationSpec, str]
"""An engine, and its hardware as profiles name it."""


@dataclass(frozen=True, slots=True)
class PlannedReplica:
    """A replica that can be started on this machine."""

    spec: LocalSpec
    expected: Expected


def plan_local(config: Config) -> tuple[PlannedReplica, ...]:
    """Return the replicas of `[[models]]`, as many as there may ever be at once.

    Raises EngineError, ConfigError where one cannot be started.
    """
    if not config.models:
        return ()
    most = config.provisioning.max_replicas
    wanted = [model for model in config.models for _ in range(most or model.replicas)]
    places = list(_places(config, len(wanted)))
    return tuple(
        _planned(config, model, place, number)
        for number, (model, place) in enumerate(zip(wanted, places, strict=True), start=1)
    )


def _places(config: Config, count: int) -> Iterator[Place]:
    """Yield a place for each replica: a GPU each in turn, or a share of the cores each."""
    kind = config.engine.kind
    if kind == "emulated":
        yield from ((EmulationSpec(), "emulated") for _ in range(count))
        return
    gpus = detect_gpus() if kind != "cpu" else ()
    if kind == "gpu" and not gpus:
        raise ConfigError.of("engine.kind", "gpu", "cpu: NVML finds no GPU on this machine")
    if gpus and count > len(gpus):
        raise ConfigError.of("models", f"{count} replicas", f"at most one per GPU: {len(gpus)}")
    yield from _on_gpus(gpus[:count]) if gpus else _on_cores(count)


def _on_gpus(gpus: tuple[Gpu, ...]) -> Iterator[Place]:
    python = find_environment(EngineKind.GPU).python
    for gpu in gpus:
        engine = EngineSpec(
            EngineKind.GPU, python, gpu=gpu.index, gpu_memory_utilization=gpu.utilization
        )
        yield engine, gpu_hardware(gpu.name)


def _on_cores(count: int) -> Iterator[Place]:
    python = find_environment(EngineKind.CPU).python
    for cores in share_cores(sorted(os.sched_getaffinity(0)), count):
        yield EngineSpec(EngineKind.CPU, python, cores=cores), CPU


def _planned(config: Config, model: ModelConfig, place: Place, number: int) -> PlannedReplica:
    engine, hardware = place
    known = local_profile(config, model, hardware)
    limits = limits_of(config, model, known)
    profile = with_limits(known, limits)
    if isinstance(engine, EmulationSpec):
        path = model.path
        engine = replace(engine, profile=model.profile or config.scheduling.profile)
    else:
        path = _path_of(model)
    engine = replace(
        engine,
        max_num_seqs=limits.max_num_seqs,
        max_num_batched_tokens=limits.max_num_batched_tokens,
        long_prefill_token_threshold=limits.long_prefill_token_threshold,
        arguments=model.engine_args,
    )
    spec = LocalSpec(
        replica_id=f"replica-{number}",
        model=ModelSpec(model.name, path, model.max_model_len),
        engine=engine,
        log=state_dir() / "logs" / f"replica-{number}.log",
        start_timeout_s=config.engine.start_timeout_s,
    )
    where = _where(model, place, limits)
    expected = Expected(limits.max_num_seqs, model.fim, profile, where, limits, model.instruct)
    return PlannedReplica(spec, expected)


def _where(model: ModelConfig, place: Place, limits: EngineLimits) -> str:
    """Return what makes a replica as fast as it is, in words.

    Under these its learned law is kept.
    """
    engine, hardware = place
    cores = len(engine.cores) if isinstance(engine, EngineSpec) else 0
    size = f"{cores} cores, {limits.max_num_seqs} sequences, {limits.max_num_batched_tokens} tokens"
    if limits.long_prefill_token_threshold:
        size += f", {limits.long_prefill_token_threshold} of a prompt"
    return " ".join((hardware, model.path, size, model.profile, *model.engine_args))


def _stored_folder(known: KnownModel) -> Path:
    stored = find_stored(known)
    if stored is None:
        raise EngineError(f"model {known.name} is not here: run `cato model fetch {known.name}`")
    return stored.path


def _path_of(model: ModelConfig) -> str:
    if model.path == EMBEDDED:
        return str(verified_folder())
    known = find_known(model.path)
    if known is not None:
        return str(_stored_folder(known))
    check_model(model.path, model.engine_args)
    path = Path(model.path).expanduser()
    return str(path) if path.is_dir() else model.path


def check_families(config: Config) -> None:
    """Raise ConfigError for a `fim` that is no family."""
    named = [(f"models.{i}.fim", model.fim) for i, model in enumerate(config.models)]
    named += [(f"replicas.{i}.fim", replica.fim) for i, replica in enumerate(config.replicas)]
    for field, family in named:
        if family not in family_names():
            raise ConfigError.of(field, family, "one of " + ", ".join(family_names()))


def local_launchers(
    planned: tuple[PlannedReplica, ...], session: aiohttp.ClientSession, fleet: Fleet
) -> Iterator[Launcher]:
    """For the replicas that are started on this machine."""
    for plan in planned:
        replica_id = plan.spec.replica_id
        fleet.expect(replica_id, plan.expected)
        yield LocalLauncher(plan.spec, session, _Notes(fleet, replica_id))


def watch_static(config: Config, fleet: Fleet) -> None:
    """Let the fleet watch what runs elsewhere. Raises ConfigError for a bad profile."""
    for number, replica in enumerate(config.replicas, start=1):
        name = f"static-{number}"
        fleet.expect(name, expected_static(config, replica))
        fleet.watch(WatchedServer(name, replica.url, replica.model, replica.token or None))


def expected_static(config: Config, replica: ReplicaConfig) -> Expected:
    """Return what the configuration says of one. Raises ConfigError for a bad profile."""
    profile = static_profile(config, replica)
    max_running = replica.max_running or config.scheduling.max_running_per_replica
    if profile is not None:
        max_running = min(max_running, profile.limits.max_num_seqs)
    return Expected(
        max_running,
        replica.fim,
        profile,
        limits=told_limits(replica, profile),
        instruct=replica.instruct,
    )


@dataclass(frozen=True, slots=True)
class _Notes:
    """Hands a launcher's notes on under the replica's name."""

    fleet: Fleet
    replica_id: str

    def __call__(self, text: str) -> None:
        self.fleet.on_progress(self.replica_id, text)
