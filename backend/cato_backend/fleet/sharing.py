"""Sharing of GPU memory between models: which gets it, and which gives it back."""

from __future__ import annotations

from typing import Protocol

from cato_backend.inventory.needs import GpuMemory
from cato_backend.provisioning.worth import Holding, Shortage, choose_evicted


class MemorySharer(Protocol):
    """The replicas of one model, as other models' claims see them."""

    def holding(self, replica_id: str, now: float) -> Holding | None:
        """Return what a replica of this model is worth; None where it has to stay."""
        ...

    def leaves(self, replica_id: str) -> bool:
        """Return whether it is about to give its memory back."""
        ...

    def vacate(self, replica_id: str, now: float, claimant: str) -> None:
        """Let a replica finish what runs on it, and give its memory to the claimant."""
        ...

    def hurry(self) -> None:
        """Memory may have become free: look at once."""
        ...


class GpuSharing:
    """Decides on claims to memory, one at a time."""

    def __init__(self, memory: GpuMemory) -> None:
        self._memory = memory
        self._sharers: list[MemorySharer] = []
        self._owners: dict[str, MemorySharer] = {}
        """By replica. One of a model whose number of replicas is fixed has none."""

    def join(self, sharer: MemorySharer, replicas: frozenset[str]) -> None:
        """Add a model with the ids of all replicas that it may have."""
        self._sharers.append(sharer)
        self._owners |= dict.fromkeys(replicas, sharer)

    def fits(self, replica_id: str) -> bool:
        """Return whether the memory of a replica is there."""
        return not self._memory.missing(replica_id)

    def make_room(self, claimant: Holding, now: float) -> bool:
        """Let others leave so that the claimant's replica may start; return whether it can then.

        What they give back is kept for it.
        """
        name = claimant.replica_id
        missing = self._memory.missing_by_gpu(name)
        shortages = [self._shortage(name, gpu, lacking, now) for gpu, lacking in missing.items()]
        shortages = [each for each in shortages if each.lacking > 0]
        evicted = choose_evicted(shortages, claimant)
        if shortages and not evicted:
            return False
        self._memory.promise(name)
        for each in evicted:
            self._owners[each].vacate(each, now, name)
        return True

    def withdraw(self, replica_id: str) -> None:
        """Keep nothing for a replica that is not wanted any more."""
        self._memory.release(replica_id)

    def changed(self) -> None:
        """Let every model look whether there is room for it."""
        for sharer in self._sharers:
            sharer.hurry()

    def _shortage(self, name: str, gpu: str, lacking: int, now: float) -> Shortage:
        """Return what is lacking beside what leaves the GPU already, and who else may leave."""
        beside = self._memory.awake_beside(name, gpu)
        leaving = [each for each in beside if self._leaves(each)]
        lacking -= sum(self._memory.given_back_on_each(each) for each in leaving)
        found = (self._holding(each, now) for each in beside if each not in leaving)
        return Shortage(lacking, [each for each in found if each])

    def _leaves(self, replica_id: str) -> bool:
        owner = self._owners.get(replica_id)
        return owner is not None and owner.leaves(replica_id)

    def _holding(self, replica_id: str, now: float) -> Holding | None:
        """Return what a replica is worth; None where nothing may make it leave."""
        owner = self._owners.get(replica_id)
        return None if owner is None else owner.holding(replica_id, now)
