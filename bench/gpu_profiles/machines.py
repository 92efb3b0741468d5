"""The GPUs with kernel tables, and the laws composed from them."""

from __future__ import annotations

from pathlib import Path

from bench.gpu_profiles.fit import Fit, fit_law
from bench.gpu_profiles.grid import steps_within
from bench.gpu_profiles.shapes import Shape
from bench.gpu_profiles.steps import Machine, Overheads, step_seconds
from bench.gpu_profiles.tables import KernelTables
from cato_backend.profile_files.hardware import gpu_kind
from cato_backend.profile_files.profile import EngineLimits

TABLES = {
    "a100-80gb": ("a100_sxm", "0.14.0"),
    "h100": ("h100_sxm", "0.24.0"),
    "h200": ("h200_sxm", "0.24.0"),
    "l40s": ("l40s", "0.24.0"),
}
"""The name of a GPU's tables, and the newest vLLM version that they were measured with."""

CALIBRATED = Overheads(step_s=1.5e-3, sequence_s=52e-6, layer_s=5.7e-6, flops_share=0.71)
"""Found by `python -m bench.gpu_profiles.calibrate`."""
REDUCE_S = 4e-6
"""One all-reduce at least; only for checks on several GPUs. Found in the same way."""


MEMORY_SHARE = 0.9
RESERVED_BYTES = 3e9


def machine_of(
    hardware: str,
    folder: Path,
    *,
    version: str | None = None,
    ways: int = 1,
    dtype: str = "bfloat16",
    reduce_s: float = REDUCE_S,
) -> Machine:
    """The GPU, `ways` of them side by side, with weights in `dtype`."""
    system, newest = TABLES[hardware]
    gpu = gpu_kind(hardware)
    eight_bits = dtype != "bfloat16"
    return Machine(
        tables=KernelTables(folder, system, version or newest, dtype),
        bandwidth=gpu.gb_per_s * 1e9,
        flops=gpu.tflops * 1e12 * (2 if eight_bits else 1),
        weight_bytes=1.0 if eight_bits else 2.0,
        ways=ways,
        reduce_s=reduce_s,
    )


def limits_on(hardware: str, shape: Shape, ways: int, weight_bytes: float = 2.0) -> EngineLimits:
    """vLLM's limits for a model spread over `ways` GPUs, for checks."""
    left = ways * (MEMORY_SHARE * gpu_kind(hardware).gb * 1e9 - RESERVED_BYTES)
    tokens = int((left - shape.parameters * weight_bytes) / shape.kv_bytes_per_token)
    return EngineLimits(256, 8192, tokens // 16 * 16, 16, min(40_960, tokens))


def compose(
    shape: Shape, machine: Machine, limits: EngineLimits, overheads: Overheads = CALIBRATED
) -> Fit:
    """The law of this model on this machine."""
    steps = steps_within(limits)
    return fit_law(steps, step_seconds(steps, shape, machine, overheads))
