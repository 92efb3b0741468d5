"""What is read off an engine's metrics, and what is not believed."""

from __future__ import annotations

import pytest

from cato_backend.profile_files.profile import EngineLimits
from cato_backend.replicas.engine_metrics import KV_USAGE, RUNNING, WAITING, Problem, read_load
from cato_lab.emulator import EmulatorState
from cato_lab.emulator.metrics import EngineMetrics

LABELS = 'engine="0",model_name="org/{odd} model"'


def page(running: str = "3.0", waiting: str = "2.0", usage: str = "0.25") -> bytes:
    """As vLLM writes it."""
    lines = ["# HELP vllm:num_requests_running Number of requests", ""]
    for name, value in ((RUNNING, running), (WAITING, waiting), (KV_USAGE, usage)):
        if value:
            lines += [f"# TYPE {name} gauge", f"{name}{{{LABELS}}} {value}"]
    return "\n".join([*lines, "vllm:num_requests_running_max 77", ""]).encode()


def test_the_emulator_and_the_reader_agree() -> None:
    metrics = EngineMetrics("m")
    metrics.watch(EmulatorState(running=3, waiting=2), lambda: 0.25, EngineLimits())
    load = read_load(metrics.exposition({}))
    assert (load.running, load.waiting, load.kv_usage, load.problems) == (3, 2, 0.25, ())
    assert (load.requests, load.kv_tokens) == (5, EngineLimits().kv_tokens)


def test_engines_behind_one_address_are_added_up() -> None:
    load = read_load(page() + page("4", "0", "0.75").replace(b'engine="0"', b'engine="1"'))
    assert (load.running, load.waiting, load.kv_usage) == (7, 2, 0.5)


def test_labels_and_time_stamps_may_be_absent_or_there() -> None:
    text = f"{RUNNING} 1 1700000000000\n{WAITING}\t2\n{KV_USAGE} 1e-2\n"
    load = read_load(text.encode())
    assert (load.running, load.waiting, load.kv_usage, load.problems) == (1, 2, 0.01, ())


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", Problem.MISSING),
        ("NaN", Problem.NAN),
        ("-1", Problem.NEGATIVE),
        ("-Inf", Problem.NEGATIVE),
        ("+Inf", Problem.TOO_LARGE),
        ("1e300", Problem.TOO_LARGE),
        ("many", Problem.MALFORMED),
    ],
)
def test_what_cannot_be_is_named(value: str, problem: Problem) -> None:
    load = read_load(page(running=value))
    assert load.problems == ((RUNNING, problem),)
    assert load.requests is None
    assert (load.waiting, load.kv_usage) == (2, 0.25)
    assert read_load(page(usage=value)).problems == ((KV_USAGE, problem),)
    assert read_load(page(usage=value)).requests == 5


@pytest.mark.parametrize("text", [b"", b"<html>", b"\xff\x00", b"vllm:num_requests_running"])
def test_another_page_says_nothing(text: bytes) -> None:
    load = read_load(text)
    assert [problem for _, problem in load.problems][1:] == [Problem.MISSING] * 2
    assert load.requests is None


def test_a_share_above_one_is_none() -> None:
    assert read_load(page(usage="25")).problems == ((KV_USAGE, Problem.TOO_LARGE),)


CACHE = 'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="500"} 1.0\n'


@pytest.mark.parametrize(
    ("lines", "tokens"),
    [
        (CACHE, 8000),
        (CACHE + CACHE.replace('engine="0"', 'engine="1"'), 16_000),
        ("", None),
        (CACHE.replace('"500"', '"None"'), None),
        (CACHE.replace('"16"', '"-1"'), None),
        (CACHE.replace('num_gpu_blocks="500"', 'blocks="500"'), None),
        (CACHE.replace('"500"', '"0"'), None),
        (CACHE.replace('"500"', f'"{10**15}"'), None),
    ],
)
def test_the_size_of_the_cache_is_read_where_it_can_be(lines: str, tokens: int | None) -> None:
    load = read_load(page() + lines.encode())
    assert load.kv_tokens == tokens
    assert (load.running, load.problems) == (3, ())
