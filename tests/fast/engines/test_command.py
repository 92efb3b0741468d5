"""The command that serves a model, as a table."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cato_backend.engines.command import (
    DEFAULT_STEP_TOKENS,
    EmulationSpec,
    EngineSpec,
    Invocation,
    ModelSpec,
    Port,
    UnixSocket,
    invocation,
    model_length,
    most_sequences,
    prefill_threshold,
    share_cores,
    step_tokens,
)
from cato_backend.engines.environments import EngineKind

CPU = EngineSpec(EngineKind.CPU, Path("/env/bin/python"))
GPU = EngineSpec(EngineKind.GPU, Path("/env/bin/python"), gpu="1", gpu_memory_utilization=0.9)
HUB = ModelSpec("coder", "Qwen/Qwen2.5-Coder-7B")


def made(engine: EngineSpec = CPU, model: ModelSpec = HUB) -> Invocation:
    return invocation(model, engine, Port(4711), "secret")


def value_of(flag: str, argv: tuple[str, ...]) -> str:
    return argv[argv.index(flag) + 1]


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--model", "Qwen/Qwen2.5-Coder-7B"),
        ("--served-model-name", "coder"),
        ("--host", "127.0.0.1"),
        ("--port", "4711"),
        ("--scheduling-policy", "priority"),
        ("--allowed-origins", "[]"),
    ],
)
@pytest.mark.parametrize("engine", [CPU, GPU])
def test_flags(engine: EngineSpec, flag: str, value: str) -> None:
    assert value_of(flag, made(engine).argv) == value


def test_an_engine_on_several_gpus_is_told_how_many() -> None:
    started = made(replace(GPU, gpu="0,1", tensor_parallel=2))
    assert value_of("--tensor-parallel-size", started.argv) == "2"
    assert started.environment["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert "--tensor-parallel-size" not in made(GPU).argv


@pytest.mark.parametrize("engine", [CPU, GPU, EmulationSpec()])
def test_a_unix_socket_takes_the_place_of_a_port(engine: EngineSpec | EmulationSpec) -> None:
    argv = invocation(HUB, engine, UnixSocket(Path("/run/a.sock")), "secret").argv
    assert value_of("--uds", argv) == "/run/a.sock"
    assert not {"--host", "--port"} & set(argv)


def test_the_key_is_in_the_environment_alone() -> None:
    command = made()
    assert command.environment["VLLM_API_KEY"] == "secret"
    assert not any("secret" in argument for argument in command.argv)
    assert "secret" not in repr(command)


def test_only_the_cpu_is_eager() -> None:
    assert "--enforce-eager" in made(CPU).argv
    assert "--enforce-eager" not in made(GPU).argv


def test_a_gpu_is_chosen_and_shared() -> None:
    command = made(GPU)
    assert command.environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert value_of("--gpu-memory-utilization", command.argv) == "0.9"
    assert "VLLM_CPU_KVCACHE_SPACE" not in command.environment


def test_an_engine_that_sleeps_has_the_routes_for_it() -> None:
    command = made(replace(GPU, sleeps=True))
    assert "--enable-sleep-mode" in command.argv
    assert command.environment["VLLM_SERVER_DEV_MODE"] == "1"
    assert "--enable-sleep-mode" not in made(GPU).argv
    assert "VLLM_SERVER_DEV_MODE" not in made(GPU).environment
    assert "--enable-sleep-mode" in made(EmulationSpec(sleeps=True)).argv


@pytest.mark.parametrize(("cores", "bound"), [((), "auto"), ((0,), "0"), ((2, 4), "2,4")])
def test_cores(cores: tuple[int, ...], bound: str) -> None:
    environment = made(replace(CPU, cores=cores)).environment
    assert environment["VLLM_CPU_OMP_THREADS_BIND"] == bound


def test_only_a_folder_is_offline(tmp_path: Path) -> None:
    assert "HF_HUB_OFFLINE" not in made().environment
    local = ModelSpec("coder", str(tmp_path))
    assert made(model=local).environment["HF_HUB_OFFLINE"] == "1"


def test_the_users_arguments_come_last() -> None:
    command = made(replace(CPU, arguments=("--max-num-seqs", "4")))
    assert command.argv[-2:] == ("--max-num-seqs", "4")


def test_engines_collect_garbage_less_often() -> None:
    code = "import gc; print(gc.get_threshold()[0])"
    environment = {"PYTHONPATH": made().environment["PYTHONPATH"]}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert int(said.stdout) == 50_000


def test_context_only_when_given() -> None:
    assert "--max-model-len" not in made().argv
    assert value_of("--max-model-len", made(model=replace(HUB, max_model_len=512)).argv) == "512"


@pytest.mark.parametrize(
    ("cores", "replicas", "shares"),
    [
        ([0], 1, [(0,)]),
        ([0, 1], 1, [(0,)]),
        ([0, 1], 2, [(0,), (0,)]),
        ([0, 1, 2, 3], 2, [(0, 2), (1,)]),
        ([4, 5, 6], 1, [(4, 5)]),
    ],
)
def test_sharing_of_cores(cores: list[int], replicas: int, shares: list[tuple[int, ...]]) -> None:
    assert share_cores(cores, replicas) == shares


@pytest.mark.parametrize(
    ("arguments", "sequences"),
    [
        ((), 64),
        (("--max-num-seqs", "4"), 4),
        (("--seed", "1", "--max-num-seqs=8", "--max-model-len", "99"), 8),
        (("--max-num-seqs", "many"), 64),
    ],
)
def test_the_engine_s_slots_are_the_user_s_or_ours(
    arguments: tuple[str, ...], sequences: int
) -> None:
    assert most_sequences(arguments, 64) == sequences
    engine = replace(CPU, max_num_seqs=64, arguments=arguments)
    assert value_of("--max-num-seqs", made(engine).argv) == "64"


@pytest.mark.parametrize(
    ("arguments", "tokens"),
    [
        ((), 2048),
        (("--max-num-batched-tokens", "512"), 512),
        (("--max-num-batched-tokens=8192", "--seed", "1"), 8192),
        (("--max-num-batched-tokens", "8k"), 2048),
    ],
)
def test_a_step_is_no_longer_than_a_completion_can_wait(
    arguments: tuple[str, ...], tokens: int
) -> None:
    assert step_tokens(arguments, DEFAULT_STEP_TOKENS) == tokens
    engine = replace(GPU, max_num_batched_tokens=2048, arguments=arguments)
    assert value_of("--max-num-batched-tokens", made(engine).argv) == "2048"
    assert made(engine).argv[len(made(engine).argv) - len(arguments) :] == arguments


def test_a_step_is_what_vllm_can_start_with() -> None:
    """As many tokens as sequences at least; and where prompts are not cut, none of our own."""
    many = replace(GPU, max_num_seqs=4096, max_num_batched_tokens=2048)
    assert value_of("--max-num-batched-tokens", made(many).argv) == "4096"
    whole = replace(many, arguments=("--no-enable-chunked-prefill",))
    assert "--max-num-batched-tokens" not in made(whole).argv
    assert "--max-num-batched-tokens" not in made(GPU).argv


def test_a_long_prompt_gets_a_part_of_a_step() -> None:
    engine = replace(GPU, long_prefill_token_threshold=704)
    assert value_of("--long-prefill-token-threshold", made(engine).argv) == "704"
    off = replace(GPU, long_prefill_token_threshold=0)
    assert value_of("--long-prefill-token-threshold", made(off).argv) == "0"
    whole = replace(engine, arguments=("--no-enable-chunked-prefill",))
    assert "--long-prefill-token-threshold" not in made(whole).argv
    arguments = ("--long-prefill-token-threshold", "64")
    argv = made(replace(engine, arguments=arguments)).argv
    assert argv[-2:] == arguments
    assert prefill_threshold(arguments, 704) == 64
    assert prefill_threshold((), 704) == 704
    assert model_length(("--max-model-len=4096",), 32_768) == 4096
    assert model_length(("--max_model_len=4096",), 32_768) == 4096


def test_an_emulated_engine_takes_a_profile_instead_of_a_model() -> None:
    engine = EmulationSpec("p.json", 8, 1024, 256, arguments=("--speed", "2"))
    argv = invocation(HUB, engine, Port(4711), "secret").argv
    assert argv[:4] == (sys.executable, "-m", "cato_backend", "emulate")
    assert [value_of(flag, argv) for flag in ("--port", "--model", "--profile")] == [
        "4711",
        "coder",
        "p.json",
    ]
    assert value_of("--max-num-seqs", argv) == "8"
    assert value_of("--max-num-batched-tokens", argv) == "1024"
    assert value_of("--long-prefill-token-threshold", argv) == "256"
    assert argv[-2:] == ("--speed", "2")
