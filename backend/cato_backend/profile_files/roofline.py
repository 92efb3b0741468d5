"""Estimates a profile without a measurement, from a model's config.json and a GPU's data sheet.

A step reads the weights and the KV cache once, at a share of the memory bandwidth, or multiplies
its tokens, at a share of the peak, whichever takes longer, and pays for launching its kernels:

    base           = fixed_s + per_layer_s * layers
    weights        = bytes of weights read / (weight_share * bandwidth)
    per_kv_token   = KV bytes per token / (kv_share * bandwidth)
    per_new_token  = 2 * active parameters / (compute_share * peak)
    per_attention  = 4 * layers * heads * head size / (attention_share * peak)

An MoE step is priced as one of `_MOE_TOKENS` tokens: the law has one constant for weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cato_backend.errors import ConfigError
from cato_backend.profile_files.document import (
    EngineData,
    LawData,
    LimitsData,
    ProfileFile,
    Provenance,
)
from cato_backend.profile_files.hardware import GpuKind, gpu_kind
from cato_backend.profile_files.profile import EngineLimits, StepLaw
from cato_backend.profile_files.shape import ModelShape, read_shape

_MOE_TOKENS = 8
_RESERVED_BYTES = 3e9
"""Activations, CUDA graphs, the libraries themselves."""
_MEMORY_SHARE = 0.9
"""vLLM's default `--gpu-memory-utilization`."""
_BLOCK_TOKENS = 16
SPREAD_PERCENT = 33.0
"""Of times by roofline from measured ones: 27% TTFT and 12% TPOT of a Llama-3.1-70B on a B200, and
20% from step times that are composed of kernel latencies (`bench/gpu_profiles/check.py`)."""
MIXTURE_SPREAD_PERCENT = 45.0
"""The same for a mixture of experts, whose steps read more experts than the law says: one on an
H200 was 37% slower than its profile."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """The shares of a data sheet's figures that engines reach, and their fixed costs.

    The shares are those of public fits to vLLM on A100 and H100. The fixed part was fitted to the
    published single-stream rates of Qwen2.5 on an A100 (0.5B to 32B, 312 to 22 tokens/s).
    """

    compute_share: float = 0.62
    attention_share: float = 0.4
    weight_share: float = 0.78
    kv_share: float = 0.85
    fixed_s: float = 0.001
    per_layer_s: float = 60e-6
    per_sequence_s: float = 10e-6
    load_bytes_per_s: float = 1e9
    """From disk to GPU at the start."""
    start_fixed_s: float = 60.0
    """Imports, profiling run, CUDA graphs."""


def from_config(
    config_json: Path, hardware: str, model: str, date: str, efficiency: Efficiency | None = None
) -> ProfileFile:
    """Return the roofline profile of any model on a GPU of the table; `date` as in 2026-11-22.

    Raises ConfigError naming the bad field, the unknown GPU, or that the model does not fit.
    """
    shape, gpu = read_shape(config_json), gpu_kind(hardware)
    efficiency = efficiency or Efficiency()
    return ProfileFile(
        schema_version=1,
        model=model,
        hardware=hardware,
        law=LawData.of(roofline_law(shape, gpu, efficiency)),
        limits=LimitsData.of(limits_of(shape, gpu, model)),
        kv_bytes_per_token=shape.kv_bytes_per_token,
        start_s=efficiency.start_fixed_s + shape.memory_bytes / efficiency.load_bytes_per_s,
        engine=EngineData(name="vllm", version="any"),
        made=Provenance(
            method="roofline", how=f"from config.json and {gpu.name}'s data sheet", date=date
        ),
        validation="unvalidated",
        spread_percent=MIXTURE_SPREAD_PERCENT if shape.experts else SPREAD_PERCENT,
    )


def roofline_law(shape: ModelShape, gpu: GpuKind, efficiency: Efficiency) -> StepLaw:
    """Return the formulas above."""
    bandwidth, peak = gpu.gb_per_s * 1e9, gpu.tflops * 1e12 * efficiency.compute_share
    attention_peak = gpu.tflops * 1e12 * efficiency.attention_share
    return StepLaw(
        form="max",
        base=efficiency.fixed_s + efficiency.per_layer_s * shape.layers,
        weights=shape.bytes_read(_MOE_TOKENS) / (efficiency.weight_share * bandwidth),
        per_new_token=2 * shape.active_parameters / peak,
        per_sequence=efficiency.per_sequence_s,
        per_kv_token=shape.kv_bytes_per_token / (efficiency.kv_share * bandwidth),
        per_attention=4 * shape.layers * shape.heads * shape.head_dim / attention_peak,
    )


def limits_of(shape: ModelShape, gpu: GpuKind, model: str) -> EngineLimits:
    """Return vLLM's defaults, and what the weights leave for the KV cache.

    Raises ConfigError where that is less than 4,096 tokens, or than one full context if that is
    shorter.
    """
    free = _MEMORY_SHARE * gpu.gb * 1e9 - _RESERVED_BYTES - shape.memory_bytes
    tokens = int(free // (shape.kv_bytes_per_token * _BLOCK_TOKENS)) * _BLOCK_TOKENS
    if tokens < min(4096, shape.max_model_len):
        need = (shape.memory_bytes + _RESERVED_BYTES) / 1e9
        raise ConfigError(
            f"{model} needs {need:.1f} GB and room for its KV cache, more than {gpu.name} has"
        )
    sequences, budget = _defaults(gpu)
    return EngineLimits(
        max_num_seqs=sequences,
        max_num_batched_tokens=budget,
        kv_tokens=tokens,
        block_size=_BLOCK_TOKENS,
        max_model_len=min(shape.max_model_len, tokens),
    )


def _defaults(gpu: GpuKind) -> tuple[int, int]:
    """`max_num_seqs` and `max_num_batched_tokens` of vLLM 0.32's server, by the GPU's memory.

    It takes the A100 for a small one, because large chunks slow that down.
    """
    gib = gpu.gb * 1e9 / 2**30
    if gib >= 160:
        return 1024, 16_384
    if gib >= 70 and not gpu.name.startswith("a100"):
        return 1024, 8192
    return 256, 2048
