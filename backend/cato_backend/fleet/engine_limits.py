"""What an engine that is started here may do in a step, and what its targets call for."""

from __future__ import annotations

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
from cato_backend.prediction.step_limits import DEFAULT_THRESHOLD, choose_step_limits
from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import Task

_UNKNOWN = EngineLimits(
    max_num_batched_tokens=DEFAULT_STEP_TOKENS, long_prefill_token_threshold=DEFAULT_THRESHOLD
)


def limits_of(config: Config, model: ModelConfig, known: Profile | None) -> EngineLimits:
    """The user's own arguments go before the configuration, and that before what is chosen by the
    law of the profile and the targets."""
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
    """Of a server that runs elsewhere: what the configuration says that its engine was started
    with; None where it says nothing."""
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
    """`told`: what the engine was started with, null where that is not known; `advised`: null where
    too little is known of its speed."""
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
