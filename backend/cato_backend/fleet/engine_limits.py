"""The limits of an engine's steps: as configured, else derived from its step law and the targets.

Two of vLLM's limits say how long others wait for a prompt: `max_num_batched_tokens` bounds a step,
and `long_prefill_token_threshold` what one prompt gets of it beside other requests. Small ones cost
throughput, and they hold for every prompt: one of more tokens than the threshold takes several
steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cato_backend.config import Config, ModelConfig, ReplicaConfig, TargetsConfig
from cato_backend.engines.command import (
    DEFAULT_STEP_TOKENS,
    model_length,
    most_sequences,
    prefill_threshold,
    step_tokens,
)
from cato_backend.fleet.profiles import ENOUGH_WINDOWS
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Target
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import Task

DEFAULT_THRESHOLD = 512
"""Where no law is known."""
_UNKNOWN = EngineLimits(
    max_num_batched_tokens=DEFAULT_STEP_TOKENS, long_prefill_token_threshold=DEFAULT_THRESHOLD
)
_TPOTS = 2.0
"""TPOTs of generation: the longest step with a chunk of a long prompt in it. Answers are slowed
down only while that is computed, and keep to the target on average if half of their tokens are."""
_STEP_SHARE = 2 / 3
"""Of the TTFT of completions: the longest step that is filled with prompts of usual length."""
_DECODING, _CONTEXT = 16, 2000
"""Sequences that decode meanwhile, and the context tokens of each."""
_USUAL_PROMPT = 4000
_LONGEST_PROMPT = 131_072
"""Tokens. The mean context of a prompt's chunks is half of it."""
_GRAIN = 64
"""Tokens: limits are multiples of it, as kernels compute tiles."""


def limits_of(config: Config, model: ModelConfig, known: Profile | None) -> EngineLimits:
    """Return the limits that a local engine is started with.

    The user's own arguments take precedence over the configuration, and that over what is chosen by
    the law of the profile and the targets.
    """
    chosen = _chosen(config, model, known)
    tokens, threshold = model.max_num_batched_tokens, model.long_prefill_token_threshold
    tokens = chosen.max_num_batched_tokens if tokens is None else tokens
    threshold = chosen.long_prefill_token_threshold if threshold is None else threshold
    return replace(
        chosen,
        max_num_batched_tokens=step_tokens(model.engine_args, tokens),
        long_prefill_token_threshold=prefill_threshold(model.engine_args, threshold),
    )


def told_limits(replica: ReplicaConfig, known: Profile | None) -> EngineLimits | None:
    """Return the engine limits that the configuration gives for a server elsewhere.

    Returns None where it gives none.
    """
    told = {
        "max_num_batched_tokens": replica.max_num_batched_tokens,
        "long_prefill_token_threshold": replica.long_prefill_token_threshold,
    }
    given = {name: tokens for name, tokens in told.items() if tokens is not None}
    limits = EngineLimits() if known is None else known.limits
    return replace(limits, **given) if given else None


def _chosen(config: Config, model: ModelConfig, known: Profile | None) -> EngineLimits:
    limits = _UNKNOWN if known is None else known.limits
    arguments, slots = model.engine_args, config.scheduling.max_running_per_replica
    length = model_length(arguments, model.max_model_len or limits.max_model_len)
    limits = replace(limits, max_num_seqs=most_sequences(arguments, slots), max_model_len=length)
    if known is not None:
        targets = (config.targets.of(task) for task in (Task.COMPLETION, Task.GENERATION))
        return choose_step_limits(known.law, limits, *targets)
    if length <= DEFAULT_THRESHOLD:  # vLLM refuses a threshold above the context.
        return replace(limits, long_prefill_token_threshold=0)
    return limits


def step_limits(load: ReplicaLoad, targets: TargetsConfig) -> dict[str, Any]:
    """`told`: what the engine was started with, null where that is not known.

    `advised`: null where too little is known of its speed.
    """
    return {
        "told": None if load.limits is None else _shown(load.limits),
        "advised": _advised(load, targets),
    }


def _advised(load: ReplicaLoad, targets: TargetsConfig) -> dict[str, int] | None:
    learned = load.learned
    if load.profile is None and learned.all_windows < ENOUGH_WINDOWS:
        return None
    limits = replace(
        learned.limits,
        max_num_seqs=load.limit,
        max_model_len=load.context or learned.limits.max_model_len,
    )
    completion, generation = targets.of(Task.COMPLETION), targets.of(Task.GENERATION)
    return _shown(choose_step_limits(learned.belief.law, limits, completion, generation))


def _shown(limits: EngineLimits) -> dict[str, int]:
    return {
        "max_num_batched_tokens": limits.max_num_batched_tokens,
        "long_prefill_token_threshold": limits.long_prefill_token_threshold,
    }


def choose_step_limits(
    law: StepLaw, limits: EngineLimits, completion: Target, generation: Target
) -> EngineLimits:
    """Return the limits with `max_num_batched_tokens` and `long_prefill_token_threshold` chosen.

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
    """Return the threshold with which the longest prompt of a completion meets its TTFT.

    Beside it is a prompt that is as long as prompts get: it waits for half a step on average, then
    for one of each of its chunks. Steps keep to the TPOT too, where an engine without prompts does.
    """
    ttft_s, tpot_s = completion.budget_s, generation.tpot_s

    def computed_in_time(size: int) -> float:
        both_s = _step_s(law, size, longest) + law.per_new_token * size
        return size * (ttft_s / both_s - 0.5)

    best = max(sizes, key=computed_in_time)
    if tpot_s is None or _step_s(law, 0, longest) > tpot_s:
        return best
    return min(best, _largest(sizes, lambda n: _step_s(law, n, longest), _TPOTS * tpot_s))


def _largest(sizes: Sequence[int], step_s: Callable[[int], float], most_s: float) -> int:
    """Return the largest size whose step takes no longer; the smallest where none does."""
    return max((size for size in sizes if step_s(size) <= most_s), default=sizes[0])


def _step_s(law: StepLaw, tokens: int, prompt: int) -> float:
    """Return seconds of a step with `tokens` tokens of a prompt, beside usual decoding."""
    context = prompt / 2
    kv_tokens = _DECODING * _CONTEXT + context
    return law.seconds(tokens + _DECODING, _DECODING + 1, kv_tokens, tokens * context)
