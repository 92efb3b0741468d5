"""All that a backend tells of itself in `/health`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from cato_lsp.backend.inventory import InventoryGpu, read_inventory
from cato_lsp.backend.replicas import ReplicaReport, SourceReport, read_replicas, read_sources


@dataclass(frozen=True, slots=True)
class Gateways:
    """How many processes of a backend take connections, and how many should."""

    up: int = 1
    expected: int = 1


@dataclass(frozen=True, slots=True)
class BackendReports:
    """Reports of a backend about its replicas, their sources, the inventory and itself."""

    replicas: tuple[ReplicaReport, ...] = ()
    sources: tuple[SourceReport, ...] = ()
    gpus: tuple[InventoryGpu, ...] = ()
    gateways: Gateways = Gateways()

    @classmethod
    def read(cls, health: object) -> Self:
        """Read the body of `/health`; what it does not tell is empty."""
        return cls(
            read_replicas(health),
            read_sources(health),
            read_inventory(health),
            read_gateways(health),
        )


def read_gateways(health: object) -> Gateways:
    """Read the gateways in the body of `/health`; a backend that tells nothing is one process."""
    try:
        told = cast("Mapping[str, Any]", health)["gateways"]
        return Gateways(int(told["up"]), int(told["expected"]))
    except (KeyError, TypeError, ValueError):
        return Gateways()
