"""Which sequence holds which blocks of the KV cache."""

from __future__ import annotations

from cato_backend.engine_model.blocks import BlockPool
from cato_backend.engine_model.jobs import SequenceState


class Memory:
    """A block pool as sequences use it."""

    def __init__(self, kv_tokens: int, block_size: int) -> None:
        self.block_size = block_size
        self.pool = BlockPool(kv_tokens // block_size)

    @property
    def tokens(self) -> int:
        """How many tokens it holds."""
        return self.pool.size * self.block_size

    def hits(self, state: SequenceState) -> int:
        """Blocks of its prompt that are cached; the last token is always computed."""
        return self.pool.hits(state.job.block_hashes, (state.target - 1) // self.block_size)

    def has_room_for(self, state: SequenceState, hits: int) -> bool:
        """Whether the whole of what it must compute fits now; nothing of that is reserved."""
        whole, free = self._blocks(state.target), self.pool.free
        if whole <= free:
            return True
        revived = self.pool.idle_among(state.job.block_hashes[:hits])
        return whole - hits + revived <= free

    def admit(self, state: SequenceState, hits: int) -> None:
        """Gives it the cached blocks."""
        state.shared = list(state.job.block_hashes[:hits])
        self.pool.hold(state.shared)
        state.hashed, state.computed = hits, hits * self.block_size

    def missing(self, state: SequenceState, chunk: int) -> int:
        """Blocks to take before its next `chunk` tokens can be computed."""
        return self._blocks(state.computed + chunk) - self._blocks(state.computed)

    def extend(self, state: SequenceState, chunk: int) -> None:
        """Takes them. The next job, even in the same step, can share the whole ones."""
        self.pool.take(self.missing(state, chunk))
        self._publish(state, state.computed + chunk)

    def release(self, state: SequenceState) -> None:
        """It holds no block any more; those with a hash stay findable."""
        self._publish(state, state.computed)
        self.pool.release(state.shared, self._blocks(state.computed) - len(state.shared))
        state.shared, state.hashed, state.computed = [], 0, 0

    def _publish(self, state: SequenceState, computed: int) -> None:
        whole = computed // self.block_size
        state.shared += self.pool.publish(state.job.block_hashes[state.hashed : whole])
        state.hashed = max(state.hashed, whole)

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self.block_size)
