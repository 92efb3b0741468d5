"""Policies without a prediction: by load, in turn, and by equal prefixes."""

from __future__ import annotations

from bisect import bisect, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil

from cato_backend.requests import Request
from cato_backend.scheduling.policies.base import FleetView, Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.wire.headers import Task

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


class LeastRequests(Policy):
    """First come, first served; the replica with the fewest requests."""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Place the request; ties go to the smaller id, so that runs can be repeated."""
        return Place(min(candidates, key=lambda r: (r.running, r.replica_id)).replica_id)


class LeastOutstandingTokens(Policy):
    """First come, first served; the replica that owes the fewest tokens."""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Place the request; ties go to the smaller id, so that runs can be repeated."""
        least = min(candidates, key=lambda r: (r.outstanding_tokens, r.running, r.replica_id))
        return Place(least.replica_id)


class RoundRobin(Policy):
    """First come, first served; each replica in turn."""

    def __init__(self) -> None:
        self._last = ""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Return the next in the order of ids after the one chosen last."""
        index = bisect_right(candidates, self._last, key=lambda r: r.replica_id)
        self._last = candidates[index % len(candidates)].replica_id
        return Place(self._last)


@dataclass(frozen=True, slots=True)
class AffinityOptions:
    """When the cache is ignored: sglang-router's rule, with bounds tuned for 64 slots a replica."""

    imbalance: int = 8
    """More requests on the fullest replica than on the emptiest, and ..."""
    ratio: float = 1.25
    """... so many times as many: then load decides alone."""
    least_share: float = 0.1
    """Least share of the prompt in a cache for which a replica is preferred."""


STATIC_PRIORITY = {
    Task.COMPLETION: 0,
    Task.GENERATION: 1,
    Task.SUMMARIZATION: 2,
    Task.TRANSLATION: 3,
    Task.AGENT: 4,
}
"""What an administrator would set by hand: the tighter the target, the earlier."""


class PrefixAffinity(Policy):
    """The replica that holds most of the prompt, unless the fleet is out of balance."""

    def __init__(self, options: AffinityOptions | None = None) -> None:
        self._options = options or AffinityOptions()

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Of equals the one with fewer requests."""
        least = min(candidates, key=_load)
        most = max(candidates, key=_load)
        options = self._options
        if most.running - least.running > options.imbalance and (
            most.running > options.ratio * least.running
        ):
            return Place(least.replica_id)
        return Place(self._holder(waiting, candidates, fleet) or least.replica_id)

    def _holder(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> str | None:
        worth = self._options.least_share * waiting.request.prompt_tokens
        cached = fleet.prefix_holders(waiting.request)
        holders = [r for r in candidates if cached.get(r.replica_id, 0) > worth]
        best = min(holders, key=lambda r: (-cached[r.replica_id], *_load(r)), default=None)
        return None if best is None else best.replica_id


class PrefixAffinityWithPriorities(PrefixAffinity):
    """The same, and each class has a fixed priority, in the queue and in the engine."""

    def key(self, waiting: Waiting, fleet: FleetView) -> tuple[float, ...]:
        """By class, then by arrival."""
        return (STATIC_PRIORITY[waiting.request.task], waiting.request.arrival)

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Place the request, with its class as the engine's priority."""
        place = super().place(waiting, candidates, fleet)
        return Place(place.replica_id, STATIC_PRIORITY[waiting.request.task])


def _load(replica: ReplicaView) -> tuple[int, str]:
    return replica.running, replica.replica_id


class ConsistentHash(Policy):
    """First come, first served; the replica that owns the session, unless that is too full.

    Ray Serve's ConsistentHashRouter (2.56), with its 100 virtual nodes and the session as the key.
    Ray continues to the next replica of the ring where one rejects the request; here it does so by
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
        """Return the first candidate on the ring within the bound; there is always one."""
        request = waiting.request
        running = {replica.replica_id: replica.running for replica in candidates}
        mean = (sum(running.values()) + 1) / len(running)
        bound = max(_NEVER_FULL, ceil(_LOAD_FACTOR * mean))
        for replica_id in self._clockwise(_key(request)):
            if running.get(replica_id, bound) < bound:
                return Place(replica_id)
        raise AssertionError("no replica is below the mean load")

    def _clockwise(self, key: str) -> Iterator[str]:
        """Yield the owners of the points behind the key, the key's own first."""
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
