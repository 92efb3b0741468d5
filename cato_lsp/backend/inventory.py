"""What a backend says of the GPUs that its replicas are placed on, in `/health`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class InventoryGpu:
    """One GPU, or a MIG slice of one."""

    label: str
    name: str
    memory_gb: float
    free_gb: float
    others: int
    """Processes on it that the backend did not start."""


def read_inventory(health: object) -> tuple[InventoryGpu, ...]:
    """Read the GPUs in the body of `/health`; return none if there are none."""
    try:
        listed = cast("Mapping[str, Any]", health)["inventory"]["gpus"]
        return tuple(_gpu(entry) for entry in listed)
    except (KeyError, TypeError, ValueError):
        return ()


def _gpu(entry: Mapping[str, Any]) -> InventoryGpu:
    return InventoryGpu(
        label=str(entry["gpu"]),
        name=str(entry["name"]),
        memory_gb=float(entry["memory_gb"]),
        free_gb=float(entry["free_gb"]),
        others=int(entry["others"]),
    )
