"""Relegated requests, and which of them deserve another look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cato_backend.scheduling.policies.cato.book import Book


class _Parked(NamedTuple):
    """Looked at in vain."""

    best: Book
    free_at: float
    """When the best replica was to be free then."""
    looked_at: Sequence[Book]


class Hopeless:
    """Requests for one model that stand behind all that can still be met.

    In an overloaded fleet hundreds of them wait, and each event lets the queue be looked at. One
    that was looked at in vain sleeps until a replica that it looked at has become idle, or the one
    that it would take is to be free sooner than expected: whatever else happens speaks against it.
    """

    def __init__(self) -> None:
        self._parked: dict[str, _Parked | None] = {}
        self._woken: dict[str, None] = {}
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
        """It can hardly be met any more, and has not been looked at as such."""
        self._parked[request_id] = None

    def park(self, request_id: str, best: Book, looked_at: Sequence[Book]) -> None:
        """It was looked at in vain: `best` is the replica that it would take."""
        self._forget(request_id)
        self._parked[request_id] = _Parked(best, best.free_at, looked_at)
        self._takers[best.view.replica_id][request_id] = None
        for book in looked_at:
            self._watchers[book.view.replica_id][request_id] = None

    def discard(self, request_id: str) -> None:
        """It is no longer queued."""
        if request_id in self._parked:
            self._forget(request_id)
            del self._parked[request_id]

    def take_woken(self) -> Iterable[str]:
        """Those for which something has come to speak, since they were asked for last."""
        if not self._woken:
            return ()
        woken, self._woken = self._woken, {}
        return woken

    def loaded(self, book: Book) -> None:
        """The replica has more to do than before."""
        self._idle.discard(book.view.replica_id)

    def freed(self, book: Book, *, idle: bool) -> None:
        """The replica has less to do than before."""
        replica_id = book.view.replica_id
        if idle:
            if replica_id not in self._idle:
                self._idle.add(replica_id)
                self._woken |= self._watchers[replica_id]
            return
        for request_id in self._takers[replica_id]:
            parked = self._parked[request_id]
            if parked is not None and book.free_at < parked.free_at:
                self._woken[request_id] = None

    def wake_all(self) -> None:
        """The fleet is another one."""
        self._woken |= dict.fromkeys(self._parked)

    def _forget(self, request_id: str) -> None:
        self._woken.pop(request_id, None)
        parked = self._parked[request_id]
        if parked is not None:
            del self._takers[parked.best.view.replica_id][request_id]
            for book in parked.looked_at:
                del self._watchers[book.view.replica_id][request_id]
