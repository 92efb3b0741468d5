"""The profile of one model on one GPU: from kernel tables where there are any, else by roofline."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np

from bench.gpu_profiles.fit import Fit
from bench.gpu_profiles.machines import CALIBRATED, TABLES, compose, machine_of
from bench.gpu_profiles.measured import (
    CONFIGS,
    SINGLE_STREAM,
    SINGLE_STREAM_STEPS,
    shape_named,
)
from bench.gpu_profiles.tables import Floats
from cato_backend.errors import ConfigError
from cato_backend.profile_files.document import Check, EngineData, LawData, ProfileFile, Provenance
from cato_backend.profile_files.hardware import file_name
from cato_backend.profile_files.profile import StepLaw
from cato_backend.profile_files.roofline import from_config

MODELS = (
    "Qwen/Qwen2.5-Coder-0.5B",
    "Qwen/Qwen2.5-Coder-1.5B",
    "Qwen/Qwen2.5-Coder-3B",
    "Qwen/Qwen2.5-Coder-7B",
    "Qwen/Qwen2.5-Coder-14B",
    "Qwen/Qwen2.5-Coder-32B",
    "bigcode/starcoder2-3b",
    "bigcode/starcoder2-7b",
    "bigcode/starcoder2-15b",
    "Qwen/Qwen3-Coder-30B-A3B-Instruct",
    "mistralai/Codestral-22B-v0.1",
)
SPREAD_PERCENT = 26.0
"""Of composed times from measured ones: 35 to 39% TTFT and 4 to 8% TPOT of two dense models on
H100s (the logarithms' root mean square, both of equal weight, see `check.py`)."""
SENSIBLE_KV_TOKENS = 8192
"""Less room than this serves no more than a completion or two at a time."""


def make(
    model: str, hardware: str, data: Path, date: str, tables: Collection[str] = tuple(TABLES)
) -> ProfileFile | None:
    """The profile, or None where the model has no sensible room on that GPU.

    By roofline for a GPU that is not among `tables`."""
    try:
        roofline = from_config(CONFIGS / file_name(model), hardware, model, date)
    except ConfigError as error:
        sys.stderr.write(f"left out: {error}\n")
        return None
    if roofline.limits.kv_cache_tokens < SENSIBLE_KV_TOKENS:
        room = roofline.limits.kv_cache_tokens
        sys.stderr.write(f"left out: {model} on {hardware}: room for {room} tokens only\n")
        return None
    return composed(roofline, data) if hardware in tables else roofline


def composed(roofline: ProfileFile, data: Path) -> ProfileFile:
    """The same file with the law that kernel tables give."""
    shape = shape_named(Path(file_name(roofline.model)).stem)
    machine = machine_of(roofline.hardware, data)
    fit = compose(shape, machine, roofline.limits.limits(), CALIBRATED)
    changes = {
        "law": LawData.of(rounded(fit.law)),
        "engine": EngineData(name="vllm", version=machine.tables.version),
        "made": Provenance(
            method="kernel-tables", how=_how(fit, machine.tables.system), date=roofline.made.date
        ),
        "validation": _validation(roofline, fit.law),
    }
    if not shape.experts:  # Its own spread is wider than that of the kernels.
        changes["spread_percent"] = SPREAD_PERCENT
    return roofline.model_copy(update=changes)


def rounded(law: StepLaw) -> StepLaw:
    """Four digits: more would pretend to be known."""
    names = ("base", "weights", "per_new_token", "per_sequence", "per_kv_token", "per_attention")
    values = (float(f"{getattr(law, name):.4g}") for name in names)
    tiny = 1e-15
    return StepLaw(law.form, *(value if value > tiny else 0.0 for value in values))


def _how(fit: Fit, system: str) -> str:
    return (
        f"composed from vLLM's kernel latencies on {system} (aiconfigurator, Apache-2.0) with the "
        f"overheads of bench/gpu_profiles; the law meets {fit.cells} composed steps that it was "
        f"not fitted to within {fit.mean_percent:.1f}% (mean), {fit.p90_percent:.1f}% (P90)"
    )


def _validation(file: ProfileFile, law: StepLaw) -> object:
    """Against published single-stream rates, where there are any."""
    rates = SINGLE_STREAM.get(Path(file_name(file.model)).stem)
    if file.hardware != "a100-80gb" or rates is None:
        return "unvalidated"
    errors = _single_stream_errors(law, np.array(rates))
    check = Check(
        quantity="tpot",
        against="published rates of one stream on an A100 with vLLM, prompts of 1 and 6,144 tokens",
        cells=len(rates),
        mean_error_percent=round(float(errors.mean()), 1),
        p90_error_percent=round(float(np.quantile(errors, 0.9)), 1),
    )
    return (check,)


def _single_stream_errors(law: StepLaw, rates: Floats) -> Floats:
    seconds = [law.seconds(1, 1, step.kv_tokens) for step in SINGLE_STREAM_STEPS]
    return np.asarray(100 * np.abs(np.array(seconds) * rates - 1))
