"""The interface of a source of replicas."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from cato_backend.config import ReplicaConfig


@dataclass(frozen=True, slots=True)
class Listing:
    """The present list of one source."""

    replicas: tuple[ReplicaConfig, ...]
    complaint: str = ""
    """The first entry that could not be used, and why; the others are used."""


class Source(Protocol):
    """One list of replicas."""

    @property
    def name(self) -> str:
        """Its address, as it was configured."""
        ...

    def follow(self) -> AsyncGenerator[Listing]:
        """Yield the list, and again whenever it may have changed. Raises SourceUnavailable."""
        ...
