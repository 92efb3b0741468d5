"""What each replica runs on, also for a while after it is gone: its last requests have a price."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MOST_GONE = 10_000
"""Replicas that are gone and still known; those that left first are forgotten first."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """Of one replica."""

    name: str = ""
    """As profiles name it; empty where that is not known."""
    gpus: float = 1.0
    """How many of these it has: less than one where it shares one."""


class KnownHardware:
    """By the ids of replicas."""

    def __init__(self) -> None:
        self._present: dict[str, Hardware] = {}
        self._gone: OrderedDict[str, Hardware] = OrderedDict()

    def note(self, replica_id: str, hardware: Hardware) -> None:
        """Remember what a replica runs on."""
        self._gone.pop(replica_id, None)
        self._present[replica_id] = hardware

    def leaves(self, replica_id: str) -> None:
        """Keep what a replica ran on until many others have left after it."""
        found = self._present.pop(replica_id, None)
        if found is None:
            return
        self._gone[replica_id] = found
        if len(self._gone) > MOST_GONE:
            self._gone.popitem(last=False)

    def of(self, replica_id: str) -> Hardware:
        """Return what a replica runs or ran on."""
        return self._present.get(replica_id) or self._gone.get(replica_id) or Hardware()
