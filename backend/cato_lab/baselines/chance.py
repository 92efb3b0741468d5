"""Routers that trust to chance: random, and the better of two."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.scheduling.policies.base import FleetView, Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.scheduling.splitmix import SplitMix64


class Random(Policy):
    """First come, first served; any replica."""

    def __init__(self, seed: int) -> None:
        self._dice = SplitMix64(seed)

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Each with the same probability."""
        return Place(candidates[self._dice.below(len(candidates))].replica_id)


class PowerOfTwoChoices(Policy):
    """Ray Serve's default: of two replicas picked at random, the one with fewer requests.

    After Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (TPDS 2001).
    """

    def __init__(self, seed: int) -> None:
        self._dice = SplitMix64(seed)

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """The two differ where there are two."""
        first = self._dice.below(len(candidates))
        other = (first + 1 + self._dice.below(max(1, len(candidates) - 1))) % len(candidates)
        pair = (candidates[first], candidates[other])
        return Place(min(pair, key=lambda r: (r.running, r.replica_id)).replica_id)
