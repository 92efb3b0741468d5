"""What requests find out about replicas, passed on to the fleet."""

from __future__ import annotations

from collections.abc import Callable

from cato_backend.runtime.driver import Membership


class ReplicaReports:
    """The `Membership` of a runtime. Without a fleet, `remove` takes lost replicas out."""

    def __init__(self, remove: Callable[[str], None]) -> None:
        self._remove = remove
        self._fleet: Membership | None = None

    def join(self, fleet: Membership) -> None:
        """Set the receiver of all further reports."""
        self._fleet = fleet

    def lost(self, replica_id: str) -> None:
        """Handle a replica to which no connection could be opened."""
        if self._fleet is None:
            self._remove(replica_id)
        else:
            self._fleet.lost(replica_id)

    def died(self, replica_id: str) -> None:
        """Handle a replica whose connections broke and that refuses new ones."""
        if self._fleet is None:
            self._remove(replica_id)
        else:
            self._fleet.died(replica_id)

    def suspect(self, replica_id: str) -> None:
        """Handle a replica that broke an attempt off."""
        if self._fleet is not None:
            self._fleet.suspect(replica_id)

    async def confirm(self, replica_id: str) -> bool:
        """Describe a replica again; return whether it is up and serves what it served."""
        return self._fleet is None or await self._fleet.confirm(replica_id)
