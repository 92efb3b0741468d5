"""Prefix affinity, alone and with static priorities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cato_backend.scheduling.policies.base import Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.scheduling.view import FleetView
from cato_backend.wire.headers import Task


@dataclass(frozen=True, slots=True)
class AffinityOptions:
    """When the cache is not followed; sglang-router's rule, its bounds tuned for replicas of 64."""

    imbalance: int = 8
    """More requests on the fullest replica than on the emptiest, and ..."""
    ratio: float = 1.25
    """... so many times as many: then load decides alone."""
    least_share: float = 0.1
    """Of the prompt, to be found in a cache; less is not worth following."""


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
        """The engine's own queue gets the class too."""
        place = super().place(waiting, candidates, fleet)
        return Place(place.replica_id, STATIC_PRIORITY[waiting.request.task])


def _load(replica: ReplicaView) -> tuple[int, str]:
    return replica.running, replica.replica_id
