"""What is there, what is wanted, what is decided."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.errors import ConfigError


@dataclass(frozen=True, slots=True)
class FleetState:
    """The replicas and requests of one model now."""

    ready: int
    """Replicas that take requests."""
    starting: int = 0
    """Launched, not ready yet."""
    waiting: int = 0
    """Requests in the queue."""
    running: int = 0
    """Requests on replicas."""

    @property
    def coming(self) -> int:
        """Replicas that will take requests when all launched ones have started."""
        return self.ready + self.starting


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the operator allows. Raises ConfigError."""

    least: int = 1
    most: int = 1

    def __post_init__(self) -> None:
        if self.least < 1:
            raise ConfigError.of("min-replicas", self.least, "at least 1")
        if self.most < self.least:
            raise ConfigError.of("max-replicas", self.most, f"at least {self.least}")

    def clip(self, count: int) -> int:
        """The nearest count that is allowed."""
        return min(self.most, max(self.least, count))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule's answer."""

    count: int
    why: str
    """A sentence's second half: what was seen, and what follows from it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done."""

    target: int
    """Replicas that there should be, draining ones not counted."""
    why: str
    """One sentence for the log and `/metrics`."""
    changed: bool
    """Whether the target differs from that of the plan before."""
