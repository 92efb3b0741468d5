"""The running sequences: unfinished prefills, and sequences that decode, updated in bulk.

All that decode get one token in every step, so all that grows is a function of one clock: one that
joined at clock j with c computed tokens has c + clock - j of them now. Sums are kept, ends lie in a
heap, and who needs a new KV block when depends only on the clock modulo the block size.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from cato_backend.engine_model.jobs import SequenceState
from cato_backend.engine_model.memory import Memory


class Prefills:
    """Between steps: the unfinished prefills, in the order of admission. In a step: its chunks."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._unfinished: list[SequenceState] = []
        self._chunks: list[tuple[SequenceState, int]] = []
        self.tokens = 0
        """In the chunks of the step."""

    def __len__(self) -> int:
        return len(self._chunks) if self._chunks else len(self._unfinished)

    def __iter__(self) -> Iterator[SequenceState]:
        if self._chunks:
            return (state for state, _ in self._chunks)
        return iter(self._unfinished)

    @property
    def chunks(self) -> list[tuple[SequenceState, int]]:
        """Those of the step, in order."""
        return self._chunks

    def missing(self, budget: int, longest: int) -> int:
        """Return the blocks that the unfinished ones need for their next chunks; see `resume`."""
        blocks = 0
        for state in self._unfinished:
            chunk = _chunk(state, budget, longest)
            blocks += self._memory.missing(state, chunk)
            budget -= chunk
        return blocks

    def resume(self, budget: int, longest: int) -> None:
        """Each unfinished one gets its next chunk, of at most `longest` tokens, from the budget.

        All but the last get what they want, because wants only become smaller after the step in
        which the last was admitted: the budget never ends before it.
        """
        for state in self._unfinished:
            self.schedule(state, budget - self.tokens, longest)

    def schedule(self, state: SequenceState, budget: int, longest: int) -> None:
        """Return a chunk of at most `longest` tokens and of the budget's, with its blocks."""
        chunk = _chunk(state, budget, longest)
        self._memory.extend(state, chunk)
        self._chunks.append((state, chunk))
        self.tokens += chunk

    def end(self) -> list[SequenceState]:
        """End the step, and return the sequences whose prefill is complete."""
        completed: list[SequenceState] = []
        self._unfinished = []
        for state, chunk in self._chunks:
            state.computed += chunk
            (completed if state.computed == state.target else self._unfinished).append(state)
        self._chunks, self.tokens = [], 0
        return completed

    def leave(self, job_id: str) -> SequenceState:
        """Take an unfinished one out, between two steps. Raises KeyError."""
        for index, state in enumerate(self._unfinished):
            if state.job.id == job_id:
                return self._unfinished.pop(index)
        raise KeyError(job_id)


def _chunk(state: SequenceState, budget: int, longest: int) -> int:
    return min(state.target - state.computed, budget, longest)


class Decoding:
    """Sequences that decode."""

    def __init__(self, block_size: int) -> None:
        self._clock = 0
        self._offsets = 0
        self._members: dict[str, tuple[SequenceState, int]] = {}
        self._ends: list[tuple[int, int, SequenceState]] = []
        self._phases = [0] * block_size

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[SequenceState]:
        """In the order in which they began to decode."""
        return (state for state, _ in self._members.values())

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._members

    @property
    def kv_tokens(self) -> int:
        """Tokens that the next step reads, the new ones among them."""
        return self._offsets + len(self._members) * (self._clock + 1)

    def join(self, state: SequenceState) -> None:
        """Let a sequence decode from the next step on."""
        offset = state.computed - self._clock
        self._members[state.job.id] = state, offset
        self._offsets += offset
        self._phases[-offset % len(self._phases)] += 1
        end = self._clock + state.job.output_tokens - state.emitted
        heapq.heappush(self._ends, (end, state.order, state))

    def leave(self, job_id: str) -> SequenceState | None:
        """Take it out, its counters up to date; None if it does not decode."""
        found = self._members.pop(job_id, None)
        if found is None:
            return None
        state, offset = found
        self._offsets -= offset
        self._phases[-offset % len(self._phases)] -= 1
        self._settle(state, offset)
        return state

    def emitted(self, job_id: str, ahead: int = 0) -> int:
        """Return tokens it has emitted, `ahead` steps from now."""
        state, offset = self._members[job_id]
        return state.emitted + offset + self._clock + ahead - state.computed

    def growth(self, steps: int = 1) -> int:
        """Return the new KV blocks that the next `steps` steps need."""
        size = len(self._phases)
        if steps == 1:
            return self._phases[self._clock % size]
        cycles, rest = divmod(steps, size)
        odd = sum(self._phases[(self._clock + i) % size] for i in range(rest))
        return cycles * len(self._members) + odd

    def steps_to_next_end(self) -> int:
        """Return the steps until one emits its last token; there must be one."""
        while self._stale(self._ends[0]):
            heapq.heappop(self._ends)
        return self._ends[0][0] - self._clock

    def advance(self, steps: int) -> None:
        """Give each sequence `steps` more tokens."""
        self._clock += steps

    def pop_finished(self) -> Iterable[SequenceState]:
        """Take out those that have emitted their last token."""
        while self._ends and self._ends[0][0] <= self._clock:
            entry = heapq.heappop(self._ends)
            if not self._stale(entry):
                self.leave(entry[2].job.id)
                yield entry[2]

    def _stale(self, entry: tuple[int, int, SequenceState]) -> bool:
        _, order, state = entry
        return state.job.id not in self._members or state.order != order

    def _settle(self, state: SequenceState, offset: int) -> None:
        computed = offset + self._clock
        state.emitted += computed - state.computed
        state.computed = computed
