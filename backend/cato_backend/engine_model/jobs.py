"""Jobs of an engine, the queue in which they wait, and the engine's steps."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from cato_backend.profile_files.profile import StepLaw

Order = Literal["priority", "fcfs"]


class Job(NamedTuple):
    """One request, as the engine's scheduler sees it."""

    id: str
    prompt_tokens: int
    output_tokens: int
    """Tokens that it will emit if it is not aborted; at least one."""
    block_hashes: Sequence[int] = ()
    """Chained hashes of the prompt's whole blocks of `block_size` tokens, from its head. They may
    continue into the output: those can be shared once the job has ended. Empty: none is shared."""
    priority: int = 0
    """Lower first, as in vLLM."""


@dataclass(slots=True, eq=False)
class SequenceState:
    """A job in the engine. While it decodes, `computed` is kept by `Decoding`."""

    job: Job
    arrival: int
    """Its place in the order of arrival."""
    target: int
    """Tokens to compute before the next one comes out: the prompt; after a preemption more."""
    computed: int = 0
    """Tokens whose keys and values are in the cache."""
    emitted: int = 0
    order: int = 0
    """Its place in the order of admission."""
    hashed: int = 0
    """How many of its blocks are known by their hashes or were found to be."""
    shared: list[int] = field(default_factory=list[int])
    """Hashes of the blocks that it shares with the other jobs that need them."""


class Admission(NamedTuple):
    """A job has begun to run; `cached_tokens` of its prompt need not be computed."""

    id: str
    cached_tokens: int


class EngineQueue:
    """Sequences that wait, by (priority, arrival) or by arrival alone."""

    def __init__(self, order: Order) -> None:
        self._heap: list[tuple[int, int, SequenceState]] = []
        self._members: dict[str, SequenceState] = {}
        self._rank: Callable[[SequenceState], int] = (
            (lambda state: state.job.priority) if order == "priority" else (lambda state: 0)
        )

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._members

    def add(self, state: SequenceState) -> None:
        """Queue it; one that was preempted takes its old place."""
        self._members[state.job.id] = state
        heapq.heappush(self._heap, (self._rank(state), state.arrival, state))

    def discard(self, job_id: str) -> SequenceState | None:
        """Take it out, wherever it stands; None if it does not wait."""
        return self._members.pop(job_id, None)

    def head(self) -> SequenceState | None:
        """Return the next sequence, or None."""
        while self._heap:
            state = self._heap[0][2]
            if self._members.get(state.job.id) is state:
                return state
            heapq.heappop(self._heap)  # It was taken out earlier.
        return None

    def pop(self) -> None:
        """Take the head out."""
        _, _, state = heapq.heappop(self._heap)
        del self._members[state.job.id]


class Step(NamedTuple):
    """The engine's next steps. `steps` exceeds 1 only where all of them only decode.

    The load is that of the first step, in the terms of `StepLaw`: `kv_tokens` counts every
    sequence's context with the step's new tokens in it, `attention` sums chunk x mean context over
    the prefill chunks. Each further step reads `sequences` KV tokens more.
    """

    law: StepLaw
    steps: int
    new_tokens: int
    sequences: int
    kv_tokens: int
    attention: float
    admitted: tuple[Admission, ...]
    preempted: tuple[str, ...]

    def seconds(self, steps: int = 1) -> float:
        """Return the seconds that the first `steps` steps take together."""
        law, load = self.law, (self.new_tokens, self.sequences)
        first = law.seconds(*load, self.kv_tokens, self.attention)
        if steps == 1:
            return first
        flat = self._flat_steps(steps)
        last = law.seconds(*load, self.kv_tokens + (steps - 1) * self.sequences)
        rising = steps - flat
        lowest = law.seconds(*load, self.kv_tokens + flat * self.sequences)
        return flat * first + rising * (lowest + last) / 2

    def _flat_steps(self, steps: int) -> int:
        """Return how many of the steps are bound by computing (max form).

        These take equally long.
        """
        law = self.law
        per_step = law.per_kv_token * self.sequences
        if law.form == "additive" or not per_step:
            return 0
        spare = (
            law.per_new_token * self.new_tokens - law.weights - law.per_kv_token * self.kv_tokens
        )
        return 0 if spare < 0 else min(steps, int(spare / per_step) + 1)


class StepEnd(NamedTuple):
    """Results of a step, or of a run of steps."""

    tokens: int
    """Output tokens of all sequences together."""
    prefilled: tuple[str, ...]
    """Emitted a token because their prefill is complete: the first, or after a preemption."""
    finished: tuple[str, ...]
    """Emitted their last token, and have left the engine."""
