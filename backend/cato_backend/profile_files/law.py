"""The step law: how long one engine step takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Form = Literal["max", "additive"]


@dataclass(frozen=True, slots=True)
class StepLaw:
    """Coefficients of the step law (docs/profiles.md), in seconds per unit; none is negative.

    max:       base + max(weights + per_kv_token * K, per_new_token * N) + per_sequence * S
               + per_attention * A
    additive:  base + weights + per_kv_token * K + per_new_token * N + per_sequence * S
               + per_attention * A

    of one step with N new tokens (one per decoding sequence, and its chunk per prefilling one),
    S sequences, K tokens of KV cache (over all sequences, the context at the END of the step: what
    was there and what the step adds), and A the sum over prefill chunks of chunk length x mean
    context: a new token looks back at what lies before it, so a chunk of n tokens behind c others
    has n * (c + n / 2). With the context at the chunk's end, whole prompts counted double.
    """

    form: Form
    base: float
    weights: float = 0.0
    per_new_token: float = 0.0
    per_sequence: float = 0.0
    per_kv_token: float = 0.0
    per_attention: float = 0.0

    def seconds(
        self, new_tokens: float, sequences: float, kv_tokens: float, attention: float = 0.0
    ) -> float:
        """Duration of one step in seconds."""
        reading = self.weights + self.per_kv_token * kv_tokens
        computing = self.per_new_token * new_tokens
        core = max(reading, computing) if self.form == "max" else reading + computing
        return self.base + core + self.per_sequence * sequences + self.per_attention * attention
