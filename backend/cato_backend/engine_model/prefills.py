"""The prompts under way: the chunks of a step, and the prompts that it left unfinished."""

from __future__ import annotations

from collections.abc import Iterator

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
        """Blocks that the unfinished ones need for their next chunks; see `resume`."""
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
        """A chunk of at most `longest` tokens and of the budget's, with the blocks for it."""
        chunk = _chunk(state, budget, longest)
        self._memory.extend(state, chunk)
        self._chunks.append((state, chunk))
        self.tokens += chunk

    def end(self) -> list[SequenceState]:
        """The step is over; returns those whose prefill is complete."""
        completed: list[SequenceState] = []
        self._unfinished = []
        for state, chunk in self._chunks:
            state.computed += chunk
            (completed if state.computed == state.target else self._unfinished).append(state)
        self._chunks, self.tokens = [], 0
        return completed

    def leave(self, job_id: str) -> SequenceState:
        """Takes an unfinished one out, between two steps. Raises KeyError."""
        for index, state in enumerate(self._unfinished):
            if state.job.id == job_id:
                return self._unfinished.pop(index)
        raise KeyError(job_id)


def _chunk(state: SequenceState, budget: int, longest: int) -> int:
    return min(state.target - state.computed, budget, longest)
