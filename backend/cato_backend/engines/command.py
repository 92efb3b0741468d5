"""From a model and an engine to the command that serves it: pure, so that it can be tested.

The flags are those of vLLM 0.32's `python -m vllm.entrypoints.openai.api_server`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cato_backend.engines.environments import EngineKind

HOST = "127.0.0.1"
_MOST_SEQUENCES = "--max-num-seqs"
_STEP_TOKENS = "--max-num-batched-tokens"
_THRESHOLD = "--long-prefill-token-threshold"
_MODEL_LENGTH = "--max-model-len"
_WHOLE_PROMPTS = "--no-enable-chunked-prefill"
DEFAULT_STEP_TOKENS = 2048
"""Where no law is known. vLLM's own default on large GPUs, 8,192, makes steps of half a second for
a 7B model on an A100: a completion that comes meanwhile has missed its target twice over."""
STARTUP = Path(__file__).parent / "startup"
"""Holds the `sitecustomize.py` that every process of an engine runs first."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What is served."""

    name: str
    """The name that requests use."""
    path: str
    """A folder, or a name on a model hub."""
    max_model_len: int | None = None
    """Context in tokens; None leaves it to the model's configuration."""

    @property
    def is_local(self) -> bool:
        """Whether nothing has to be fetched."""
        return Path(self.path).is_dir()


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What serves it, and on which part of the machine."""

    kind: EngineKind
    python: Path
    """The interpreter of the engine's own environment."""
    cores: tuple[int, ...] = ()
    """CPU only: the cores that compute; empty leaves the choice to vLLM."""
    kv_cache_gib: int = 1
    """CPU only: memory for the KV cache."""
    gpu: int | None = None
    """GPU only: which one."""
    gpu_memory_utilization: float | None = None
    """GPU only: the share of its memory to take; None leaves it to vLLM."""
    max_num_seqs: int | None = None
    """Sequences in one step; None leaves it to vLLM."""
    max_num_batched_tokens: int | None = None
    """New tokens in one step; None leaves it to vLLM."""
    long_prefill_token_threshold: int | None = None
    """Tokens of one prompt in one step beside other requests; None leaves it to vLLM."""
    arguments: tuple[str, ...] = ()
    """The user's own, last, so that they win."""


@dataclass(frozen=True, slots=True)
class EmulationSpec:
    """An engine that is only emulated: `cato emulate`, no model needed."""

    profile: str = ""
    """File of the latency profile that times it; empty takes the emulator's own."""
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    long_prefill_token_threshold: int | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """A process to start."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    """To be laid over the inherited one. Holds the key, so it is never printed."""


def invocation(
    model: ModelSpec, engine: EngineSpec | EmulationSpec, port: int, api_key: str
) -> Invocation:
    """The process that serves `model` on loopback, at `port`, to whoever has `api_key`."""
    if isinstance(engine, EmulationSpec):
        return _emulation(model, engine, port)
    return Invocation(
        argv=(
            str(engine.python),
            "-m",
            "vllm.entrypoints.openai.api_server",
            *_arguments(model, port),
            *_kind_arguments(engine),
            *engine.arguments,
        ),
        environment={**_environment(model, engine), "VLLM_API_KEY": api_key},
    )


def _emulation(model: ModelSpec, engine: EmulationSpec, port: int) -> Invocation:
    """An emulated engine has nothing to protect: it takes no key."""
    argv = [sys.executable, "-m", "cato_backend", "emulate", "--host", HOST, "--port", str(port)]
    argv += ["--model", model.name]
    if engine.profile:
        argv += ["--profile", engine.profile]
    argv += _step_arguments(engine)
    return Invocation((*argv, *engine.arguments), {})


def _arguments(model: ModelSpec, port: int) -> list[str]:
    arguments = ["--model", model.path, "--served-model-name", model.name]
    arguments += ["--host", HOST, "--port", str(port)]
    arguments += ["--scheduling-policy", "priority", "--enable-prefix-caching"]
    arguments += ["--enable-prompt-tokens-details"]
    # Web pages have no business with a replica: vLLM would allow every origin.
    arguments += ["--allowed-origins", "[]", "--disable-fastapi-docs"]
    arguments += ["--disable-uvicorn-access-log"]
    if model.max_model_len is not None:
        arguments += [_MODEL_LENGTH, str(model.max_model_len)]
    return arguments


def _kind_arguments(engine: EngineSpec) -> list[str]:
    arguments = _step_arguments(engine)
    if engine.kind is EngineKind.CPU:
        # Compiling takes minutes there, and gains nothing for models small enough for a CPU.
        arguments += ["--dtype", "bfloat16", "--enforce-eager"]
    elif engine.gpu_memory_utilization is not None:
        arguments += ["--gpu-memory-utilization", str(engine.gpu_memory_utilization)]
    return arguments


def _step_arguments(engine: EngineSpec | EmulationSpec) -> list[str]:
    """What a step may hold."""
    arguments: list[str] = []
    if engine.max_num_seqs is not None:
        arguments += [_MOST_SEQUENCES, str(engine.max_num_seqs)]
    if _WHOLE_PROMPTS in engine.arguments:
        return arguments
    if engine.max_num_batched_tokens is not None:
        # vLLM refuses a step of fewer tokens than sequences, or than a whole prompt may have.
        tokens = max(engine.max_num_batched_tokens, engine.max_num_seqs or 0)
        arguments += [_STEP_TOKENS, str(tokens)]
    if engine.long_prefill_token_threshold is not None:
        arguments += [_THRESHOLD, str(engine.long_prefill_token_threshold)]
    return arguments


def most_sequences(arguments: Sequence[str], default: int) -> int:
    """`--max-num-seqs` among the user's own arguments, as vLLM reads them; else the default."""
    return _number(arguments, _MOST_SEQUENCES, default)


def step_tokens(arguments: Sequence[str], default: int) -> int:
    """`--max-num-batched-tokens`, likewise."""
    return _number(arguments, _STEP_TOKENS, default)


def prefill_threshold(arguments: Sequence[str], default: int) -> int:
    """`--long-prefill-token-threshold`, likewise."""
    return _number(arguments, _THRESHOLD, default)


def model_length(arguments: Sequence[str], default: int) -> int:
    """`--max-model-len`, likewise."""
    return _number(arguments, _MODEL_LENGTH, default)


def _number(arguments: Sequence[str], option: str, default: int) -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(option, type=int, default=default, dest="number")
    try:
        return int(parser.parse_known_args(list(arguments))[0].number)
    except argparse.ArgumentError:
        return default


def _environment(model: ModelSpec, engine: EngineSpec) -> dict[str, str]:
    environment = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = str(STARTUP)
    if model.is_local:
        environment["HF_HUB_OFFLINE"] = "1"
    if engine.kind is EngineKind.GPU:
        if engine.gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = str(engine.gpu)
        return environment
    environment["VLLM_CPU_KVCACHE_SPACE"] = str(engine.kv_cache_gib)
    environment["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, engine.cores)) or "auto"
    # Without it the first request for logprobs compiles inside the sampler and stalls all others.
    environment["TORCH_COMPILE_DISABLE"] = "1"
    return environment


def share_cores(cores: Sequence[int], replicas: int) -> list[tuple[int, ...]]:
    """Which cores each of `replicas` computes on: their own where there are enough of them.

    The last core is left to everything else, unless that would leave none.
    """
    computing = list(cores)[:-1] or list(cores)
    shares = [tuple(computing[index::replicas]) for index in range(replicas)]
    return [share or (computing[index % len(computing)],) for index, share in enumerate(shares)]
