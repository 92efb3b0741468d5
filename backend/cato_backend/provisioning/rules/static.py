"""As many replicas as the peak needs, always."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.provisioning.rules.base import FleetState, IgnoresTraffic, Wanted


@dataclass(frozen=True, slots=True)
class StaticSettings:
    """What may be chosen."""

    replicas: float = 1 << 16
    """Cut to the most that is allowed."""


class StaticPeak(IgnoresTraffic):
    """A fixed count."""

    def __init__(self, count: int) -> None:
        self._count = count

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """The same, whatever happens."""
        return Wanted(self._count, "fixed replica count")
