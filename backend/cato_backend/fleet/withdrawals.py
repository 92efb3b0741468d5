"""Withdrawal of replicas that are away: running requests stay as long as they bring tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cato_backend.runtime.runtime import Runtime

_STUCK_S = 10.0
"""Requests move from a replica that is away and has brought no token for this long."""


class Withdrawals:
    """Takes replicas out of service. `is_up` tells whether one has come back meanwhile."""

    def __init__(self, runtime: Runtime, is_up: Callable[[str], bool]) -> None:
        self._runtime = runtime
        self._is_up = is_up
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def close(self) -> None:
        """End all waiting."""
        for timer in self._timers.values():
            timer.cancel()

    def withdraw(self, replica_id: str) -> None:
        """Send no new requests; running ones may finish as long as they bring tokens."""
        if self._is_stuck(replica_id):
            self.remove(replica_id)
            return
        self._runtime.members.pause(replica_id)
        if replica_id not in self._timers:
            later = asyncio.get_running_loop().call_later
            self._timers[replica_id] = later(_STUCK_S, self._check, replica_id)

    def remove(self, replica_id: str) -> None:
        """Take a replica out of service at once; what runs there moves."""
        timer = self._timers.pop(replica_id, None)
        if timer is not None:
            timer.cancel()
        self._runtime.members.remove(replica_id)

    def _check(self, replica_id: str) -> None:
        del self._timers[replica_id]
        if not self._is_up(replica_id):
            self.withdraw(replica_id)

    def _is_stuck(self, replica_id: str) -> bool:
        load = self._runtime.replica(replica_id)
        if load is None or not load.running:
            return True
        times = [attempt.dispatched_at for attempt in load.attempts.values()]
        return max(load.last_token_at or 0.0, *times) <= self._runtime.clock() - _STUCK_S
