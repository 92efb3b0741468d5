"""Finds the latency profile of each replica: configured, shipped, or learned."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cato_backend import __version__
from cato_backend.config import EMBEDDED, Config, ModelConfig, ReplicaConfig
from cato_backend.prediction.kept_law import KeptLaw
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.document import (
    EngineData,
    LawData,
    LimitsData,
    ProfileFile,
    Provenance,
)
from cato_backend.profile_files.files import profile_for, read_profile_file
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.scheduling import ReplicaLoad

CPU = "cpu-local"
"""The hardware of engines without a GPU; profiles of any CPU do for it."""
_EMBEDDED_NAME = "cato-embedded"
ENOUGH_WINDOWS = 20
"""Learned from: what is known then takes precedence over a profile's file."""
_SHOWN_CONTEXT = 500
_SHOWN_PROMPT = 1000
"""Tokens of the step and of the prompt that people are told the times of."""
_START_S = 60.0
_UNKNOWN = "unknown"


def local_profile(config: Config, model: ModelConfig, hardware: str) -> Profile | None:
    """Return the profile of a replica that is started here.

    The file that the configuration names, else the best that is known of model and hardware. Raises
    ConfigError for a bad file, or one of another model.
    """
    name = _EMBEDDED_NAME if model.path == EMBEDDED else model.path
    file = model.profile or config.scheduling.profile
    return _read(file, name) if file else profile_for(name, hardware)


def static_profile(config: Config, replica: ReplicaConfig) -> Profile | None:
    """Return the configured profile of a server elsewhere. Raises ConfigError."""
    file = replica.profile or config.scheduling.profile
    return _read(file, replica.model or None) if file else None


def with_limits(profile: Profile | None, limits: EngineLimits) -> Profile | None:
    """Return the profile of an engine that was started with these limits."""
    return None if profile is None else replace(profile, limits=limits)


def _read(file: str, model: str | None) -> Profile:
    return read_profile_file(Path(file).expanduser(), model).profile()


def token_s(law: StepLaw) -> float:
    """Return the seconds of a step with one sequence and nothing else."""
    return law.seconds(1, 1, _SHOWN_CONTEXT)


def prompt_s(law: StepLaw) -> float:
    """Return the seconds of a step with a prompt of 1,000 tokens and nothing else."""
    return law.seconds(_SHOWN_PROMPT, 1, _SHOWN_PROMPT, _SHOWN_PROMPT * _SHOWN_PROMPT / 2)


def summary(load: ReplicaLoad, now: float) -> dict[str, Any]:
    """For `/health`."""
    learned, belief = load.learned, load.learned.belief
    age_s = learned.age_s(now)
    return {
        "token_ms": round(1e3 * token_s(belief.law), 2),
        "prompt_1k_ms": round(1e3 * prompt_s(belief.law), 1),
        "spread": round(belief.spread, 3),
        "windows": learned.all_windows,
        "age_s": None if age_s is None else round(age_s, 1),
    }


def usual_profile(loads: Iterable[ReplicaLoad]) -> Profile | None:
    """Return the middle one of these replicas, by the time of a prompt.

    None where too little was learned of all of them.
    """
    learned = [_learned(load.model, load.profile, load.learned) for load in loads]
    found = sorted(filter(None, learned), key=lambda profile: prompt_s(profile.law))
    return found[len(found) // 2] if found else None


def kept_profile(model: str, known: Profile | None, kept: KeptLaw | None) -> Profile | None:
    """Return the profile that was learned before; None if that is too little."""
    return None if kept is None else _learned(model, known, LearnedLaw(known, kept))


def _learned(model: str, known: Profile | None, learned: LearnedLaw) -> Profile | None:
    """Return the profile with the learned law in it."""
    if learned.all_windows < ENOUGH_WINDOWS:
        return None
    law, spread = learned.belief.law, learned.belief.spread
    if known is not None:
        return replace(known, law=law, spread=spread)
    return Profile(model, _UNKNOWN, law, learned.limits, _START_S, spread)


def profile_file(load: ReplicaLoad, now: float) -> ProfileFile:
    """Return the same as a file, whatever was learned."""
    learned, known = load.learned, load.profile
    belief = learned.belief
    age_s = learned.age_s(now)
    age = "never" if age_s is None else f"{age_s:.0f} s ago"
    how = (
        f"cato serve {__version__}, from {learned.all_windows} stretches of steps, the last "
        f"{age}; the law of a usual step ± {belief.spread:.0%}, single steps ± {belief.noise:.0%}"
    )
    today = datetime.now(UTC).date().isoformat()
    hardware = _UNKNOWN if known is None else known.hardware
    return ProfileFile(
        schema_version=1,
        model=load.model,
        hardware=re.sub(r"[^a-z0-9.-]+", "-", hardware.lower()).strip("-.") or _UNKNOWN,
        law=LawData.of(_rounded(belief.law)),
        limits=LimitsData.of(learned.limits),
        kv_bytes_per_token=None,
        start_s=_START_S if known is None else known.start_s,
        engine=EngineData(name=_UNKNOWN, version=_UNKNOWN),
        made=Provenance(method="learned", how=how, date=today),
        validation="unvalidated",
        spread_percent=round(100 * _spread(learned), 1),
    )


def _spread(learned: LearnedLaw) -> float:
    """Return the relative spread of a usual step, and of single steps around it."""
    return math.hypot(learned.belief.spread, learned.belief.noise)


def _rounded(law: StepLaw) -> StepLaw:
    """Four significant digits: more would only look exact."""
    terms = (law.base, law.weights, law.per_new_token, law.per_sequence, law.per_kv_token)
    return StepLaw(law.form, *(float(f"{each:.4g}") for each in (*terms, law.per_attention)))
