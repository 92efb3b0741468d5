"""Which steps a law is fitted to: what an engine with these limits may run."""

from __future__ import annotations

from bench.gpu_profiles.steps import Step
from cato_backend.profile_files.profile import EngineLimits

SEQUENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONTEXTS = (128, 512, 1024, 2048, 4096, 8192, 16384)
CHUNKS = (16, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
CACHED = (0, 512, 2048, 8192)
BESIDE = ((0, 0), (4, 1024), (16, 512), (16, 2048), (64, 1024), (32, 4096))
"""Sequences that decode beside a chunk, and their contexts."""


def steps_within(limits: EngineLimits) -> list[Step]:
    """Steps that only decode, with one chunk of a prompt, and with several."""
    decoding = [Step(decodes, context) for decodes in SEQUENCES for context in CONTEXTS]
    mixed = [
        Step(decodes, context, 1, chunk, cached)
        for cached in CACHED
        for chunk in CHUNKS
        for decodes, context in BESIDE
    ]
    several = [
        Step(8, 1024, chunks, chunk, cached)
        for cached in CACHED
        for chunks in (2, 4, 8)
        for chunk in (16, 64, 256, 1024)
    ]
    return [step for step in (*decoding, *mixed, *several) if _runs(step, limits)]


def _runs(step: Step, limits: EngineLimits) -> bool:
    longest = max(step.context + 1, step.cached + step.chunk)
    return (
        step.kv_tokens <= limits.kv_tokens
        and step.new_tokens <= limits.max_num_batched_tokens
        and step.sequences <= limits.max_num_seqs
        and longest <= limits.max_model_len
    )
