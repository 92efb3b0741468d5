"""All that a backend tells of itself in `/health`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cato_lsp.backend.inventory import InventoryGpu, read_inventory
from cato_lsp.backend.replicas import ReplicaReport, SourceReport, read_replicas, read_sources


@dataclass(frozen=True, slots=True)
class BackendReports:
    """Reports of a backend about its replicas, their sources and the inventory."""

    replicas: tuple[ReplicaReport, ...] = ()
    sources: tuple[SourceReport, ...] = ()
    gpus: tuple[InventoryGpu, ...] = ()

    @classmethod
    def read(cls, health: object) -> Self:
        """Read the body of `/health`; what it does not tell is empty."""
        return cls(read_replicas(health), read_sources(health), read_inventory(health))
