"""Builds the command that serves a model with an engine. Pure functions.

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
_SLEEP = "--enable-sleep-mode"
_TENSOR_PARALLEL = "--tensor-parallel-size"
_WHOLE_PROMPTS = "--no-enable-chunked-prefill"
DEFAULT_STEP_TOKENS = 2048
"""Where no law is known. vLLM's own default on large GPUs, 8,192, makes steps of half a second for
a 7B model on an A100: a completion that comes meanwhile has missed its target twice over."""
STARTUP = Path(__file__).parent / "startup"
"""Holds the `sitecustomize.py` that every process of an engine runs first."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The model that an engine serves."""

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
    """The engine that serves a model, and its part of the machine."""

    kind: EngineKind
    python: Path
    """The interpreter of the engine's own environment."""
    cores: tuple[int, ...] = ()
    """CPU only: the cores that compute; empty leaves the choice to vLLM."""
    kv_cache_gib: int = 1
    """CPU only: memory for the KV cache."""
    gpu: str | None = None
    """GPU only: which one, as CUDA_VISIBLE_DEVICES names it."""
    gpu_memory_utilization: float | None = None
    """GPU only: the share of its memory to take; None leaves it to vLLM."""
    tensor_parallel: int = 1
    """GPU only: how many GPUs it is spread over."""
    max_num_seqs: int | None = None
    """Sequences in one step; None leaves it to vLLM."""
    max_num_batched_tokens: int | None = None
    """New tokens in one step; None leaves it to vLLM."""
    long_prefill_token_threshold: int | None = None
    """Tokens of one prompt in one step beside other requests; None leaves it to vLLM."""
    sleeps: bool = False
    """GPU only: whether it can be put to sleep."""
    arguments: tuple[str, ...] = ()
    """The user's own, last, so that they win."""


@dataclass(frozen=True, slots=True)
class EmulationSpec:
    """An emulated engine (`cato emulate`), which needs no model."""

    profile: str = ""
    """File of the latency profile that times it; empty takes the emulator's own."""
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    long_prefill_token_threshold: int | None = None
    arguments: tuple[str, ...] = ()
    sleeps: bool = False


@dataclass(frozen=True, slots=True)
class Invocation:
    """A process to start."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    """To be laid over the inherited one. Holds the key, so it is never printed."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port to listen on."""

    number: int
    host: str = HOST

    @property
    def arguments(self) -> tuple[str, ...]:
        """As vLLM and `cato emulate` take it."""
        return "--host", self.host, "--port", str(self.number)


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A Unix socket to listen on."""

    path: Path

    @property
    def arguments(self) -> tuple[str, ...]:
        """As vLLM and `cato emulate` take it."""
        return "--uds", str(self.path)


Address = Port | UnixSocket


def invocation(
    model: ModelSpec, engine: EngineSpec | EmulationSpec, address: Address, api_key: str
) -> Invocation:
    """Return the process that serves `model` at `address`, to clients with `api_key`."""
    if isinstance(engine, EmulationSpec):
        return _emulation(model, engine, address)
    return Invocation(
        argv=(
            str(engine.python),
            "-m",
            "vllm.entrypoints.openai.api_server",
            *_arguments(model, address),
            *_kind_arguments(engine),
            *engine.arguments,
        ),
        environment={**_environment(model, engine), "VLLM_API_KEY": api_key},
    )


def _emulation(model: ModelSpec, engine: EmulationSpec, address: Address) -> Invocation:
    """Return the command of an emulated engine, which needs no key."""
    argv = [sys.executable, "-m", "cato_backend", "emulate", *address.arguments]
    argv += ["--model", model.name]
    if engine.profile:
        argv += ["--profile", engine.profile]
    argv += _step_arguments(engine)
    argv += [_SLEEP] if engine.sleeps else []
    return Invocation((*argv, *engine.arguments), {})


def _arguments(model: ModelSpec, address: Address) -> list[str]:
    arguments = ["--model", model.path, "--served-model-name", model.name]
    arguments += address.arguments
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
    if engine.tensor_parallel > 1:
        arguments += [_TENSOR_PARALLEL, str(engine.tensor_parallel)]
    return [*arguments, _SLEEP] if engine.sleeps else arguments


def _step_arguments(engine: EngineSpec | EmulationSpec) -> list[str]:
    """Return what a step may hold."""
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


def tensor_parallel(arguments: Sequence[str], default: int) -> int:
    """`--tensor-parallel-size`, likewise; `-tp` is its short form."""
    return _number(arguments, _TENSOR_PARALLEL, default, "-tp")


def model_length(arguments: Sequence[str], default: int) -> int:
    """`--max-model-len`, likewise."""
    return _number(arguments, _MODEL_LENGTH, default)


def _number(arguments: Sequence[str], option: str, default: int, *others: str) -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(option, *others, type=int, default=default, dest="number")
    try:
        return int(parser.parse_known_args([_dashed(each) for each in arguments])[0].number)
    except argparse.ArgumentError:
        return default


def _dashed(argument: str) -> str:
    """Return an option with dashes in its name: vLLM takes `--max_num_seqs`, too."""
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else argument


def _environment(model: ModelSpec, engine: EngineSpec) -> dict[str, str]:
    environment = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = str(STARTUP)
    if model.is_local:
        environment["HF_HUB_OFFLINE"] = "1"
    if engine.kind is EngineKind.GPU:
        if engine.gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = engine.gpu
        if engine.sleeps:
            # vLLM has the routes /sleep and /wake_up in this mode alone.
            environment["VLLM_SERVER_DEV_MODE"] = "1"
        return environment
    environment["VLLM_CPU_KVCACHE_SPACE"] = str(engine.kv_cache_gib)
    environment["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, engine.cores)) or "auto"
    # Without it the first request for logprobs compiles inside the sampler and stalls all others.
    environment["TORCH_COMPILE_DISABLE"] = "1"
    return environment


def share_cores(cores: Sequence[int], replicas: int) -> list[tuple[int, ...]]:
    """Return which cores each of `replicas` computes on: their own where there are enough of them.

    The last core is left to everything else, unless that would leave none.
    """
    computing = list(cores)[:-1] or list(cores)
    shares = [tuple(computing[index::replicas]) for index in range(replicas)]
    return [share or (computing[index % len(computing)],) for index, share in enumerate(shares)]
