"""Models whose replicas are spread over several GPUs, and settings that contradict it."""

from __future__ import annotations

from cato_backend.config import Config
from cato_backend.engines.command import tensor_parallel
from cato_backend.errors import ConfigError


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
