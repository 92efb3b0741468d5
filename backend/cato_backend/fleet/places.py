"""Placement of the replicas of [[models]] on this machine: on GPUs, or on a share of the cores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cato_backend.config import Config, ModelConfig, most_replicas, range_of
from cato_backend.engines.command import EmulationSpec, EngineSpec, share_cores, tensor_parallel
from cato_backend.engines.environments import EngineKind, find_environment
from cato_backend.engines.gpus import memory_needed
from cato_backend.engines.nvml import Gpu, detect_gpus
from cato_backend.errors import ConfigError
from cato_backend.fleet.profiles import CPU
from cato_backend.inventory.file import read_gpus
from cato_backend.inventory.needs import Need, Seat
from cato_backend.inventory.packing import seats_of
from cato_backend.profile_files.hardware import gpu_hardware, joined_hardware

_GB = 1e9

_EMULATED = "emulated"


def check_tensor_parallel(config: Config, *, has_gpus: bool) -> None:
    """Raise ConfigError for a model that is spread over GPUs that are not there or not placed."""
    for number, model in enumerate(config.models):
        field, wanted = f"models.{number}.tensor_parallel", model.tensor_parallel
        if wanted > 1 and not has_gpus:
            raise ConfigError.of(field, wanted, "1: its replicas run on CPU cores")
        if not has_gpus or config.ray.gpus is not None:
            continue
        told = tensor_parallel(model.engine_args, wanted)
        if told != wanted:
            raise ConfigError(
                f"models.{number}.engine_args: --tensor-parallel-size {told} contradicts"
                f" tensor_parallel = {wanted}; set tensor_parallel = {told} and leave the argument"
                " out, so that as many GPUs are set aside"
            )


def check_tensor_parallel_on_ray(config: Config) -> None:
    """Raise ConfigError for a model that needs more GPUs than Ray is to set aside for it."""
    gpus = config.ray.gpus
    for number, model in enumerate(config.models):
        if gpus is not None and 1 < model.tensor_parallel > gpus:
            expected = (
                f"at most ray.gpus, which is {gpus:g}; without ray.gpus as many are set aside"
            )
            raise ConfigError.of(
                f"models.{number}.tensor_parallel", model.tensor_parallel, expected
            )


@dataclass(frozen=True, slots=True)
class ReplicaPlace:
    """The place of a replica on this machine."""

    engine: EngineSpec | EmulationSpec
    hardware: str
    """As profiles name it."""
    seat: Seat | None = None
    """The part of a GPU that it holds; None without a GPU."""
    gpus: float = 1.0
    """How many GPUs are set aside for it: less than one where several replicas share one, more
    where it is spread over several."""


def places_of(config: Config) -> tuple[tuple[ReplicaPlace, ...], ...]:
    """Return the places of each model, as many as it may ever have replicas.

    Raises EngineError, ConfigError where there are too few.
    """
    kind = config.engine.kind
    gpus = inventory_of(config)
    if kind == "gpu" and not gpus:
        raise ConfigError.of("engine.kind", "gpu", "cpu: NVML finds no GPU on this machine")
    check_sleep(config, has_gpus=bool(gpus) or kind == _EMULATED)
    check_tensor_parallel(config, has_gpus=bool(gpus) or kind == _EMULATED)
    if gpus:
        seats = seats_of([_need(n, config, model) for n, model in enumerate(config.models)], gpus)
        return tuple(
            tuple(_on_gpu(config, model, seat) for seat in own)
            for model, own in zip(config.models, seats, strict=True)
        )
    counts = [most_replicas(model, config.provisioning) for model in config.models]
    if kind == _EMULATED:
        return tuple(
            (ReplicaPlace(EmulationSpec(sleeps=model.sleep), _EMULATED),) * count
            for model, count in zip(config.models, counts, strict=True)
        )
    return tuple(_on_cores(counts))


def inventory_of(config: Config) -> tuple[Gpu, ...]:
    """Return the GPUs that replicas are placed on; none where they run on cores.

    Raises ConfigError for a file that cannot be used.
    """
    kind, file = config.engine.kind, config.inventory.file
    if not file:
        return detect_gpus() if kind in ("auto", "gpu") else ()
    if kind != _EMULATED:
        expected = "it only beside engine.kind emulated: GPUs that are not bought yet run nothing"
        raise ConfigError.of("inventory.file", file, expected)
    return read_gpus(Path(file).expanduser())


def check_sleep(config: Config, *, has_gpus: bool) -> None:
    """Raise ConfigError for a model that is to sleep where no engine can."""
    for number, model in enumerate(config.models):
        if model.sleep and not has_gpus:
            expected = "false: vLLM's sleep mode needs a GPU"
            raise ConfigError.of(f"models.{number}.sleep", model.sleep, expected)
        if model.sleep and config.ray.address:
            expected = "false: replicas on Ray are stopped and started, and do not sleep"
            raise ConfigError.of(f"models.{number}.sleep", model.sleep, expected)


def _need(number: int, config: Config, model: ModelConfig) -> Need:
    found = range_of(model, config.provisioning)
    least, most = found or (model.replicas, model.replicas)
    return Need(
        f"models.{number}",
        least,
        most,
        None if model.memory_gb is None else int(model.memory_gb * _GB),
        None if config.engine.kind == _EMULATED else memory_needed(model.path),
        model.sleep,
        model.tensor_parallel,
    )


def _on_gpu(config: Config, model: ModelConfig, seat: Seat) -> ReplicaPlace:
    if config.engine.kind == _EMULATED:
        return ReplicaPlace(EmulationSpec(sleeps=model.sleep), _EMULATED, seat, seat.part)
    engine = EngineSpec(
        EngineKind.GPU,
        find_environment(EngineKind.GPU).python,
        gpu=seat.device,
        gpu_memory_utilization=seat.share,
        tensor_parallel=model.tensor_parallel,
        sleeps=model.sleep,
    )
    return ReplicaPlace(engine, _hardware(seat.gpu, model), seat, seat.part)


def _hardware(gpu: Gpu, model: ModelConfig) -> str:
    """Return the name of the profiles: several GPUs are not as fast as one of them."""
    return joined_hardware(gpu_hardware(gpu.name), model.tensor_parallel)


def _on_cores(counts: Sequence[int]) -> Iterator[tuple[ReplicaPlace, ...]]:
    python = find_environment(EngineKind.CPU).python
    shares = iter(share_cores(sorted(os.sched_getaffinity(0)), sum(counts)))
    for count in counts:
        yield tuple(
            ReplicaPlace(EngineSpec(EngineKind.CPU, python, cores=next(shares)), CPU)
            for _ in range(count)
        )
