"""The prompts under way: the chunks of a step, and the prompt that it left unfinished."""

from __future__ import annotations

from collections.abc import Iterator

from cato_backend.engine_model.jobs import SequenceState
from cato_backend.engine_model.memory import Memory


class Prefills:
    """Between steps: the unfinished prefill, if there is one. In a step: its chunks."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._unfinished: SequenceState | None = None
        self._chunks: list[tuple[SequenceState, int]] = []
        self.tokens = 0
        """In the chunks of the step."""

    def __len__(self) -> int:
        return len(self._chunks) if self._chunks else int(self._unfinished is not None)

    def __iter__(self) -> Iterator[SequenceState]:
        if self._chunks:
            yield from (state for state, _ in self._chunks)
        elif self._unfinished is not None:
            yield self._unfinished

    @property
    def chunks(self) -> list[tuple[SequenceState, int]]:
        """Those of the step, in order."""
        return self._chunks

    def missing(self, budget: int) -> int:
        """Blocks that the unfinished one needs for its next chunk."""
        state = self._unfinished
        return 0 if state is None else self._memory.missing(state, _chunk(state, budget))

    def go_on(self, budget: int) -> None:
        """The unfinished one gets its next chunk."""
        if self._unfinished is not None:
            self.schedule(self._unfinished, budget)

    def schedule(self, state: SequenceState, budget: int) -> None:
        """A chunk of at most the budget's tokens, with the blocks for it."""
        chunk = _chunk(state, budget)
        self._memory.extend(state, chunk)
        self._chunks.append((state, chunk))
        self.tokens += chunk

    def end(self) -> list[SequenceState]:
        """The step is over; returns those whose prefill is complete."""
        completed: list[SequenceState] = []
        self._unfinished = None
        for state, chunk in self._chunks:
            state.computed += chunk
            if state.computed == state.target:
                completed.append(state)
            else:
                self._unfinished = state
        self._chunks, self.tokens = [], 0
        return completed

    def leave(self) -> SequenceState:
        """Takes the unfinished one out, between two steps."""
        state, self._unfinished = self._unfinished, None
        assert state is not None
        return state


def _chunk(state: SequenceState, budget: int) -> int:
    return min(state.target - state.computed, budget)
