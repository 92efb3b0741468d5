"""Bounds for the number of replicas of each of [[models]], and checks for contradictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cato_backend.config.fleet import ModelConfig, ProvisioningConfig
from cato_backend.config.sections import TaskName

_ADAPTERS = "--lora-modules"


class ReplicaRange(NamedTuple):
    """Bounds for the replicas of a model whose number depends on the load."""

    least: int
    most: int


def range_of(model: ModelConfig, provisioning: ProvisioningConfig) -> ReplicaRange | None:
    """Return the range of a model; None where it always has `replicas`."""
    most = model.max_replicas or provisioning.max_replicas
    if not most:
        return None
    least = provisioning.min_replicas if model.min_replicas is None else model.min_replicas
    return ReplicaRange(least, most)


def most_replicas(model: ModelConfig, provisioning: ProvisioningConfig) -> int:
    """Return how many replicas of a model there may ever be at once."""
    found = range_of(model, provisioning)
    return model.replicas if found is None else found.most


def bounds_trouble(models: Sequence[ModelConfig], provisioning: ProvisioningConfig) -> str:
    """Return what contradicts itself, with the field that has to change; empty where nothing."""
    if provisioning.max_replicas and not models:
        return "provisioning.max_replicas: at least one of [[models]] is expected"
    for number, model in enumerate(models):
        found = range_of(model, provisioning)
        if found is None and model.min_replicas is not None:
            return f"models.{number}.min_replicas: expected only beside max_replicas"
        if found is None and model.sleep:
            return (
                f"models.{number}.sleep: expected only beside max_replicas; replicas whose number"
                " is fixed never sleep"
            )
        if found is not None and found.least > found.most:
            return (
                f"models.{number}: at least {found.least} and at most {found.most} replicas"
                " contradict each other; lower min_replicas or raise max_replicas"
            )
    return ""


def task_trouble(models: Sequence[ModelConfig], tasks: Mapping[TaskName, str]) -> str:
    """Return the task whose model nothing serves; empty where all are served.

    The names of LoRA adapters are the engine's to know.
    """
    if not models or any(_has_adapters(model) for model in models):
        return ""
    known = [model.name for model in models]
    for task, name in tasks.items():
        if name not in known:
            return f"tasks.{task}: got {name!r}, expected one of {', '.join(known)}"
    return ""


def _has_adapters(model: ModelConfig) -> bool:
    return any(each.partition("=")[0] == _ADAPTERS for each in model.engine_args)
