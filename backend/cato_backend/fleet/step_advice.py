"""What an engine may do in a step, and what its speed and the targets call for, in `/health`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cato_backend.config import TargetsConfig
from cato_backend.fleet.learned_profiles import ENOUGH_WINDOWS
from cato_backend.prediction.step_limits import choose_step_limits
from cato_backend.profile_files.profile import EngineLimits
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import Task


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
