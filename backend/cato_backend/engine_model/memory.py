"""The KV cache: blocks of tokens that sequences hold and share by prefix.

As vLLM's block pool with prefix caching: the longest unused is evicted first, and a block is known
by the chained hash of all tokens up to its end; one that no sequence holds stays findable until its
space is needed. Difference: of two blocks with the same content (a prompt's last block is computed
again even where it is cached) only one is findable.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from cato_backend.engine_model.jobs import SequenceState


class BlockPool:
    """`size` blocks, each of them blank, held privately, held under its hash, or idle under it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._blank = size
        self._holders: dict[int, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()

    @property
    def free(self) -> int:
        """Blocks that can be taken: blank ones, and idle ones by eviction."""
        return self._blank + len(self._idle)

    def hits(self, hashes: Sequence[int], most: int) -> int:
        """Return how many blocks of this prefix are findable, at most `most`."""
        holders = self._holders
        found = 0
        for key in hashes:
            if found == most or key not in holders:
                break
            found += 1
        return found

    def idle_among(self, hashes: Iterable[int]) -> int:
        """Return how many of these findable blocks are free now, and would not be if held."""
        idle = self._idle
        return sum(key in idle for key in hashes)

    def hold(self, hashes: Iterable[int]) -> None:
        """One more holder for each of these findable blocks."""
        holders, idle = self._holders, self._idle
        for key in hashes:
            held = holders[key]
            if not held:
                del idle[key]
            holders[key] = held + 1

    def take(self, count: int) -> None:
        """Take blocks for private use, evicting as needed; `count` is at most `free`."""
        self._blank -= count
        while self._blank < 0:
            evicted, _ = self._idle.popitem(last=False)
            del self._holders[evicted]
            self._blank += 1

    def publish(self, hashes: Iterable[int]) -> list[int]:
        """Private blocks become findable under these hashes; returns those that are new."""
        new = [key for key in hashes if key not in self._holders]
        for key in new:
            self._holders[key] = 1
        return new

    def release(self, shared: Sequence[int], private: int) -> None:
        """Give blocks back: under their hashes (in the prefix's order), and private ones."""
        self._blank += private
        holders, idle = self._holders, self._idle
        for key in reversed(shared):  # The end of a prefix is of less use than its head.
            left = holders[key] - 1
            holders[key] = left
            if not left:
                idle[key] = None


class Memory:
    """Blocks of a pool, allocated to sequences."""

    def __init__(self, kv_tokens: int, block_size: int) -> None:
        self.block_size = block_size
        self.pool = BlockPool(kv_tokens // block_size)

    @property
    def tokens(self) -> int:
        """How many tokens it holds."""
        return self.pool.size * self.block_size

    def hits(self, state: SequenceState) -> int:
        """Return the cached blocks of its prompt; the last token is always computed."""
        return self.pool.hits(state.job.block_hashes, (state.target - 1) // self.block_size)

    def has_room_for(self, state: SequenceState, hits: int) -> bool:
        """Return whether the whole of what it must compute fits now.

        Nothing of that is reserved.
        """
        whole, free = self._blocks(state.target), self.pool.free
        if whole <= free:
            return True
        revived = self.pool.idle_among(state.job.block_hashes[:hits])
        return whole - hits + revived <= free

    def admit(self, state: SequenceState, hits: int) -> None:
        """Give it the cached blocks."""
        state.shared = list(state.job.block_hashes[:hits])
        self.pool.hold(state.shared)
        state.hashed, state.computed = hits, hits * self.block_size

    def missing(self, state: SequenceState, chunk: int) -> int:
        """Return the blocks to take before its next `chunk` tokens can be computed."""
        return self._blocks(state.computed + chunk) - self._blocks(state.computed)

    def extend(self, state: SequenceState, chunk: int) -> None:
        """Take them. The next job, even in the same step, can share the whole ones."""
        self.pool.take(self.missing(state, chunk))
        self._publish(state, state.computed + chunk)

    def release(self, state: SequenceState) -> None:
        """Release its blocks; those with a hash stay findable."""
        self._publish(state, state.computed)
        self.pool.release(state.shared, self._blocks(state.computed) - len(state.shared))
        state.shared, state.hashed, state.computed = [], 0, 0

    def _publish(self, state: SequenceState, computed: int) -> None:
        whole = computed // self.block_size
        state.shared += self.pool.publish(state.job.block_hashes[state.hashed : whole])
        state.hashed = max(state.hashed, whole)

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self.block_size)
