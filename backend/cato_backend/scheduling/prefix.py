"""An index of the prefixes that replicas probably hold in their caches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

Blocks = Sequence[int]
"""Chained hashes of a prompt's whole blocks: equal hashes mean equal prefixes up to there."""

_FEWEST_BLOCKS = 16
_SHRINK, _GROW = 0.95, 1.01


class PrefixIndex:
    """Blocks by replica and replicas by block, least recently used first out.

    The bound of a replica is its KV cache in blocks. A prompt is touched from its tail to its head,
    as vLLM frees a request's blocks: heads, which others share, live longest.
    """

    def __init__(self) -> None:
        self._held: dict[str, OrderedDict[int, None]] = {}
        self._nominal: dict[str, float] = {}
        self._bounds: dict[str, float] = {}
        self._holders: dict[int, dict[str, None]] = {}

    def add_replica(self, replica_id: str, max_blocks: int) -> None:
        """Add a replica with an empty cache of this number of blocks."""
        self._held[replica_id] = OrderedDict()
        self._nominal[replica_id] = self._bounds[replica_id] = max_blocks

    def remove_replica(self, replica_id: str) -> None:
        """Its cache is gone."""
        del self._bounds[replica_id], self._nominal[replica_id]
        for block in self._held.pop(replica_id):
            self._release(replica_id, block)

    def clear(self, replica_id: str) -> None:
        """Record that the replica has forgotten all blocks."""
        held = self._held[replica_id]
        for block in held:
            self._release(replica_id, block)
        held.clear()

    def record(self, replica_id: str, blocks: Blocks) -> None:
        """Record that the replica computes, or has found, these blocks."""
        held = self._held[replica_id]
        for block in reversed(blocks):
            if block in held:
                held.move_to_end(block)
            else:
                held[block] = None
                self._holders.setdefault(block, {})[replica_id] = None
        self._evict(replica_id)

    def observe(self, replica_id: str, expected: int, found: int) -> None:
        """Record the cached tokens that the engine found, and the expected number.

        Where it holds less than its size says, because others use it or its blocks are larger, the
        bound shrinks, and grows again while what is expected is found.
        """
        nominal, bound = self._nominal[replica_id], self._bounds[replica_id]
        if found < expected // 2:
            self._bounds[replica_id] = max(_FEWEST_BLOCKS, bound * _SHRINK)
            self._evict(replica_id)
        elif expected:
            self._bounds[replica_id] = min(nominal, bound * _GROW)

    def matched(self, replica_id: str, blocks: Blocks) -> int:
        """Return how many blocks from the head the replica holds."""
        held = self._held[replica_id]
        for index, block in enumerate(blocks):
            if block not in held:
                return index
        return len(blocks)

    def holders(self, blocks: Blocks) -> dict[str, int]:
        """Return the replicas that hold at least the first block, with their numbers of blocks."""
        all_ = len(self._holders.get(blocks[0], ())) if blocks else 0
        found: dict[str, int] = {}
        # Tails leave before their heads, so a replica that holds a block holds all before it. From
        # the tail, because an edited document is held up to its last blocks.
        for count in range(len(blocks), 0, -1):
            if len(found) == all_:
                break
            for replica_id in self._holders.get(blocks[count - 1], ()):
                found.setdefault(replica_id, count)
        return found

    def _evict(self, replica_id: str) -> None:
        held = self._held[replica_id]
        while len(held) > self._bounds[replica_id]:
            evicted, _ = held.popitem(last=False)
            self._release(replica_id, evicted)

    def _release(self, replica_id: str, block: int) -> None:
        holders = self._holders[block]
        del holders[replica_id]
        if not holders:
            del self._holders[block]
