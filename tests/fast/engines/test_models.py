"""Which model is served where nobody chose one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.engines.gpus import (
    check_model,
    choose_hub_model,
    largest_qwen_coder_that_fits,
)
from cato_backend.engines.nvml import Gpu, detect_gpus
from cato_backend.errors import EngineError

GIB = 2**30


def gpu(total_gib: float, free_gib: float | None = None, index: int = 0) -> Gpu:
    free = total_gib if free_gib is None else free_gib
    return Gpu(index, "some GPU", int(total_gib * GIB), int(free * GIB))


@pytest.mark.parametrize(
    ("gib", "size"),
    [(2, None), (4, "0.5B"), (8, "1.5B"), (16, "1.5B"), (24, "7B"), (48, "14B"), (80, "32B")],
)
def test_the_largest_that_fits(gib: int, size: str | None) -> None:
    chosen = largest_qwen_coder_that_fits(gpu(gib).usable)
    assert (chosen and chosen.name) == (size and f"Qwen/Qwen2.5-Coder-{size}")


def test_a_gpu_in_use_counts_what_is_free() -> None:
    assert gpu(80, free_gib=40).utilization == 0.48
    assert gpu(80).utilization == 0.92
    assert gpu(80, free_gib=0.1).usable == 0


@pytest.mark.parametrize(
    ("gpus", "hub", "chosen", "why"),
    [
        ([], True, None, "no NVIDIA GPU"),
        ([gpu(2)], True, None, "too small"),
        ([gpu(24)], False, None, "no model hub answered"),
        ([gpu(24)], True, "Qwen/Qwen2.5-Coder-7B", "GPU 0 (some GPU, 24 GB usable)"),
        ([gpu(24), gpu(80, index=1)], True, "Qwen/Qwen2.5-Coder-32B", "GPU 1"),
    ],
)
def test_choice(gpus: list[Gpu], hub: bool, chosen: str | None, why: str) -> None:
    model, reason = choose_hub_model(gpus, lambda _: hub)
    assert model == chosen
    assert why in reason


def test_detection_never_raises() -> None:
    assert all(found.total > 0 for found in detect_gpus())


@pytest.mark.parametrize("path", ["/nowhere/at/all", "./nowhere", "~/nowhere"])
def test_a_folder_that_is_not_there(path: str) -> None:
    with pytest.raises(EngineError, match="there is no such folder"):
        check_model(path)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no config\.json"):
        check_model(str(tmp_path))


def test_a_model_without_a_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineError, match=r"no tokenizer; expected one of tokenizer\.json"):
        check_model(str(tmp_path))
    check_model(str(tmp_path), ["--tokenizer=elsewhere"])


def test_hub_names_and_models_pass(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    check_model(str(tmp_path))
    check_model("Qwen/Qwen2.5-Coder-7B")
