"""Relegated requests, and which of them are considered again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel

LONGEST_S = 0.5
"""Until then at the latest, rounded so that many wake together."""


class _Parked(NamedTuple):
    """A relegated request that was considered without success."""

    best: ReplicaModel
    free_at: float
    """When the best replica was to be free then."""
    looked_at: Sequence[ReplicaModel]


class RelegatedQueue:
    """Requests for one model that are queued behind all whose targets can still be met.

    In an overloaded fleet hundreds of them wait, and each event lets the queue be looked at. One
    that was looked at in vain sleeps until a replica that it looked at has become idle, or the one
    that it would take is to be free sooner than expected. It sleeps no longer than `LONGEST_S`:
    other things may speak for it too, but hardly ever do.
    """

    def __init__(self) -> None:
        self._parked: dict[str, _Parked | None] = {}
        self._woken: dict[str, None] = {}
        self._until: dict[str, float] = {}
        """When those who sleep wake by themselves, the first one first."""
        self._idle: set[str] = set()
        """Replicas of which those who watch them know it."""
        self._takers: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By replica, those that would take it."""
        self._watchers: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By replica, those that looked at it."""

    def __len__(self) -> int:
        return len(self._parked)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._parked

    def add(self, request_id: str) -> None:
        """Return whether the request can hardly be met and has not been considered as such."""
        self._parked[request_id] = None

    def park(
        self, request_id: str, best: ReplicaModel, looked_at: Sequence[ReplicaModel], now: float
    ) -> float:
        """Suspend a request for which `best` is the replica that it would take.

        Returns when it wakes at the latest.
        """
        self._forget(request_id)
        until = self._until[request_id] = (now // LONGEST_S + 1) * LONGEST_S
        self._parked[request_id] = _Parked(best, best.free_at, looked_at)
        self._takers[best.view.replica_id][request_id] = None
        for model in looked_at:
            self._watchers[model.view.replica_id][request_id] = None
        return until

    def discard(self, request_id: str) -> None:
        """Record that it is no longer queued."""
        if request_id in self._parked:
            self._forget(request_id)
            del self._parked[request_id]

    def take_woken(self, now: float) -> Iterable[str]:
        """Return those that have slept long enough, or for which something has come to speak."""
        for request_id, _ in list(takewhile(lambda sleep: sleep[1] <= now, self._until.items())):
            del self._until[request_id]
            self._woken[request_id] = None
        if not self._woken:
            return ()
        woken, self._woken = self._woken, {}
        return woken

    def loaded(self, model: ReplicaModel) -> None:
        """Record that the replica has more to do than before."""
        self._idle.discard(model.view.replica_id)

    def freed(self, model: ReplicaModel, *, idle: bool) -> None:
        """Record that the replica has less to do than before."""
        replica_id = model.view.replica_id
        if idle:
            if replica_id not in self._idle:
                self._idle.add(replica_id)
                self._woken |= self._watchers.get(replica_id, {})
            return
        for request_id in self._takers.get(replica_id, ()):
            parked = self._parked[request_id]
            if parked is not None and model.free_at < parked.free_at:
                self._woken[request_id] = None

    def wake_all(self) -> None:
        """Record that the fleet is another one."""
        self._woken |= dict.fromkeys(self._parked)

    def _forget(self, request_id: str) -> None:
        self._woken.pop(request_id, None)
        self._until.pop(request_id, None)
        parked = self._parked[request_id]
        if parked is not None:
            _remove(self._takers, parked.best, request_id)
            for model in parked.looked_at:
                _remove(self._watchers, model, request_id)


def _remove(of_replicas: dict[str, dict[str, None]], model: ReplicaModel, request_id: str) -> None:
    """Drop the entry of a replica that no request waits for: it may be gone for good."""
    replica_id = model.view.replica_id
    of_replica = of_replicas[replica_id]
    del of_replica[request_id]
    if not of_replica:
        del of_replicas[replica_id]
