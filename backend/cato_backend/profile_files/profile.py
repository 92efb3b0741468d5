"""A latency profile: what one replica of one model on one piece of hardware can do."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.profile_files.law import StepLaw

DEFAULT_SPREAD = 0.25


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What the engine's scheduler allows itself; vLLM's names."""

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
    """Values that deciding needs; provenance and errors stay in the file."""

    model: str
    hardware: str
    law: StepLaw
    limits: EngineLimits = EngineLimits()
    start_s: float = 60.0
    """From the launch of a replica to its first answer."""
    spread: float = DEFAULT_SPREAD
    """Relative standard deviation of its times from those of the replica that it is used for."""
