"""How many tokens of prompts a step of an engine should compute, by its step law and the targets.

Two of vLLM's limits say how long others wait for a prompt: `max_num_batched_tokens` bounds a step,
and `long_prefill_token_threshold` what one prompt gets of it beside other requests. Small ones cost
throughput, and they hold for every prompt: one of more tokens than the threshold takes several
steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cato_backend.profile_files.profile import EngineLimits, StepLaw
from cato_backend.requests import Target

DEFAULT_THRESHOLD = 512
"""Where no law is known."""
_TPOTS = 2.0
"""TPOTs of generation: the longest step with a chunk of a long prompt in it. Answers are slowed
down only while that is computed, and keep to the target in the mean if half of their tokens are."""
_STEP_SHARE = 2 / 3
"""Of the TTFT of completions: the longest step that is filled with prompts of usual length."""
_DECODING, _CONTEXT = 16, 2000
"""Sequences that decode meanwhile, and the context tokens of each."""
_USUAL_PROMPT = 4000
_LONGEST_PROMPT = 131_072
"""Tokens. The mean context of a prompt's chunks is half of it."""
_GRAIN = 64
"""Tokens: limits are multiples of it, as kernels compute tiles."""


def choose_step_limits(
    law: StepLaw, limits: EngineLimits, completion: Target, generation: Target
) -> EngineLimits:
    """The limits with `max_num_batched_tokens` and `long_prefill_token_threshold` chosen.

    The former is never above what it was: vLLM's own default, or what was measured. The latter is 0
    where no prompt can be longer. `max_num_seqs` stays. `bench.long_prompts` is the study of the
    threshold.
    """
    longest = min(_LONGEST_PROMPT, limits.max_model_len, limits.kv_tokens)
    sizes = range(_GRAIN, max(_GRAIN, limits.max_num_batched_tokens) + 1, _GRAIN)
    usual = min(_USUAL_PROMPT, longest)
    step = _largest(sizes, lambda n: _step_s(law, n, usual), _STEP_SHARE * completion.budget_s)
    threshold = _threshold(law, sizes, longest, completion, generation)
    return replace(
        limits,
        max_num_batched_tokens=max(step, threshold, limits.max_num_seqs),
        long_prefill_token_threshold=threshold if threshold < longest else 0,
    )


def _threshold(
    law: StepLaw, sizes: Sequence[int], longest: int, completion: Target, generation: Target
) -> int:
    """With which the longest prompt of a completion meets its TTFT beside one that is as long as
    prompts get: it waits for half a step in the mean, then for one of each of its chunks. Steps
    keep to the TPOT too, where an engine without prompts does."""
    ttft_s, tpot_s = completion.budget_s, generation.tpot_s

    def computed_in_time(size: int) -> float:
        both_s = _step_s(law, size, longest) + law.per_new_token * size
        return size * (ttft_s / both_s - 0.5)

    best = max(sizes, key=computed_in_time)
    if tpot_s is None or _step_s(law, 0, longest) > tpot_s:
        return best
    return min(best, _largest(sizes, lambda n: _step_s(law, n, longest), _TPOTS * tpot_s))


def _largest(sizes: Sequence[int], step_s: Callable[[int], float], most_s: float) -> int:
    """Of the sizes whose steps take no longer; the smallest where none does."""
    return max((size for size in sizes if step_s(size) <= most_s), default=sizes[0])


def _step_s(law: StepLaw, tokens: int, prompt: int) -> float:
    """Seconds of a step with `tokens` tokens of a prompt of this length, beside usual decoding."""
    context = prompt / 2
    kv_tokens = _DECODING * _CONTEXT + context
    return law.seconds(tokens + _DECODING, _DECODING + 1, kv_tokens, tokens * context)
