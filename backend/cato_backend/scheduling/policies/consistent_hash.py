"""Consistent hashing with bounded loads."""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import ceil

from cato_backend.requests import Request
from cato_backend.scheduling.policies.base import Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.scheduling.view import FleetView

_VIRTUAL_NODES = 100
"""Points of each replica on the ring; Ray's default."""
_LOAD_FACTOR = 1.25
"""A replica takes at most so many times the mean number of requests; as in HAProxy's and SGLang's
documentation; of 1.05 to 2 the best in thirty worlds of the arena."""
_NEVER_FULL = 8
"""Requests below which a replica is never too full. Without it a session would move at its second
request where the other replicas have none."""
_HEAD_BLOCKS = 3
"""Blocks of a prompt that stand for a session where the client names none: some 256 tokens, as in
SGLang's `prefix_hash`."""


class ConsistentHash(Policy):
    """First come, first served; the replica that owns the session, unless that is too full.

    Ray Serve's ConsistentHashRouter (2.56), with its 100 virtual nodes and the session as the key.
    Ray goes on to the next replica of the ring where one rejects the request; here it does so by
    the bound of Mirrokni, Thorup and Zadimoghaddam, Consistent Hashing with Bounded Loads (SODA
    2018).
    """

    def __init__(self) -> None:
        self._ring: list[tuple[int, str]] = []

    def replica_up(self, replica: ReplicaView, fleet: FleetView) -> None:
        """Its virtual nodes join the ring."""
        for number in range(_VIRTUAL_NODES):
            insort(self._ring, (_hash(f"{replica.replica_id}:{number}"), replica.replica_id))

    def replica_down(self, replica_id: str, fleet: FleetView) -> None:
        """Its virtual nodes leave the ring."""
        self._ring = [point for point in self._ring if point[1] != replica_id]

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """The first candidate on the ring within the bound; there is always one."""
        request = waiting.request
        running = {replica.replica_id: replica.running for replica in candidates}
        mean = (sum(running.values()) + 1) / len(running)
        bound = max(_NEVER_FULL, ceil(_LOAD_FACTOR * mean))
        for replica_id in self._clockwise(_key(request)):
            if running.get(replica_id, bound) < bound:
                return Place(replica_id)
        raise AssertionError("no replica is below the mean load")

    def _clockwise(self, key: str) -> Iterator[str]:
        """Owners of the points behind the key, the owner of the key first."""
        start = bisect(self._ring, (_hash(key), ""))
        for offset in range(len(self._ring)):
            yield self._ring[(start + offset) % len(self._ring)][1]


def _key(request: Request) -> str:
    if request.origin.session:
        return f"{request.origin.tenant}:{request.origin.session}"
    head = request.prompt_blocks[:_HEAD_BLOCKS]
    return str(head[-1]) if head else request.id


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
