"""The section about the GPUs that replicas are placed on."""

from __future__ import annotations

from pydantic import Field

from cato_backend.config.networks import FilePath
from cato_backend.config.sections import Frozen


class InventoryConfig(Frozen):
    """[inventory]: the GPUs that replicas are placed on, and how often they are read."""

    file: FilePath = Field(
        default="",
        description="TOML file of GPUs that are not bought yet, for emulated replicas"
        " (docs/models.md); empty: the GPUs that NVML finds on this machine",
    )
    sample_s: float = Field(
        default=5, gt=0, description="seconds between two readings of the GPUs for /metrics"
    )
