"""A latency profile: the speed and the limits of a replica of one model on one kind of hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Form = Literal["max", "additive"]
DEFAULT_SPREAD = 0.25


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


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Limits of the engine's scheduler, under vLLM's names."""

    max_num_seqs: int = 64
    """Sequences in one step."""
    max_num_batched_tokens: int = 2048
    """New tokens in one step: decodes first, the rest is prefill in chunks."""
    kv_tokens: int = 100_000
    """Size of the KV cache in tokens."""
    block_size: int = 16
    """Tokens per KV block; prefixes are shared in whole blocks."""
    max_model_len: int = 32_768
    long_prefill_token_threshold: int = 0
    """Tokens of one prompt in one step, unless it is alone in the engine; 0: no such limit. With
    it, prompts are computed side by side, and a short one never waits for a long one to end."""

    @property
    def longest_chunk(self) -> int:
        """Tokens of one prompt in one step beside other requests."""
        return self.long_prefill_token_threshold or self.max_num_batched_tokens


@dataclass(frozen=True, slots=True)
class Profile:
    """The values of a profile that decisions use. Provenance and errors stay in the file."""

    model: str
    hardware: str
    law: StepLaw
    limits: EngineLimits = EngineLimits()
    start_s: float = 60.0
    """From the launch of a replica to its first answer."""
    spread: float = DEFAULT_SPREAD
    """Relative standard deviation of its times from those of the replica that it is used for."""
