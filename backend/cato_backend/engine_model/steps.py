"""One engine step, or a run of steps in which only decoding happens."""

from __future__ import annotations

from typing import NamedTuple

from cato_backend.engine_model.jobs import Admission
from cato_backend.profile_files.law import StepLaw


class Step(NamedTuple):
    """What the engine does next: `steps` steps; more than one only where all of them just decode.

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
        """How long the first so many of the steps take together."""
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
        """How many of the steps are bound by computing (max form): these take equally long."""
        law = self.law
        per_step = law.per_kv_token * self.sequences
        if law.form == "additive" or not per_step:
            return 0
        spare = (
            law.per_new_token * self.new_tokens - law.weights - law.per_kv_token * self.kv_tokens
        )
        return 0 if spare < 0 else min(steps, int(spare / per_step) + 1)


class StepEnd(NamedTuple):
    """What a step (or a run of them) brought."""

    tokens: int
    """Output tokens of all sequences together."""
    prefilled: tuple[str, ...]
    """Emitted a token because their prefill is complete: the first, or after a preemption."""
    finished: tuple[str, ...]
    """Emitted their last token, and have left the engine."""
