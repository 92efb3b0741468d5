"""Profiles from a config.json and a data sheet: parameters, laws and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cato_backend.errors import ConfigError
from cato_backend.profile_files.hardware import gpu_kind
from cato_backend.profile_files.roofline import from_config
from cato_backend.profile_files.shape import read_shape

QWEN_7B: dict[str, Any] = {
    "model_type": "qwen2",
    "vocab_size": 152_064,
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18_944,
    "max_position_embeddings": 32_768,
}
QWEN_30B_A3B: dict[str, Any] = {
    "model_type": "qwen3_moe",
    "vocab_size": 151_936,
    "hidden_size": 2048,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "moe_intermediate_size": 768,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "max_position_embeddings": 262_144,
}
STARCODER2_3B: dict[str, Any] = {
    "model_type": "starcoder2",
    "vocab_size": 49_152,
    "hidden_size": 3072,
    "num_hidden_layers": 30,
    "num_attention_heads": 24,
    "num_key_value_heads": 2,
    "intermediate_size": 12_288,
    "tie_word_embeddings": True,
    "max_position_embeddings": 16_384,
}


def config(folder: Path, values: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    ("values", "billions", "kv_bytes"),
    [(QWEN_7B, 7.61, 57_344), (QWEN_30B_A3B, 30.5, 98_304), (STARCODER2_3B, 3.03, 30_720)],
)
def test_parameters_and_kv_bytes_are_those_of_the_model_cards(
    tmp_path: Path, values: dict[str, Any], billions: float, kv_bytes: int
) -> None:
    shape = read_shape(config(tmp_path, values))
    assert shape.memory_bytes / 2e9 == pytest.approx(billions, rel=0.01)
    assert shape.kv_bytes_per_token == kv_bytes


def test_a_step_reads_few_experts_for_one_token_and_nearly_all_for_many(tmp_path: Path) -> None:
    shape = read_shape(config(tmp_path, QWEN_30B_A3B))
    assert shape.bytes_read(1) / 2e9 == pytest.approx(3.3, rel=0.1)
    assert shape.bytes_read(256) / 2e9 == pytest.approx(30.2, rel=0.02)


def test_four_bits_take_a_quarter(tmp_path: Path) -> None:
    whole = read_shape(config(tmp_path, QWEN_7B)).memory_bytes
    quantised = {**QWEN_7B, "quantization_config": {"quant_method": "awq", "bits": 4}}
    small = read_shape(config(tmp_path, quantised)).memory_bytes
    assert small / whole == pytest.approx(0.36, abs=0.02)


def test_single_stream_rate_and_prefill_are_near_the_published_ones(tmp_path: Path) -> None:
    file = from_config(config(tmp_path, QWEN_7B), "a100-80gb", "Qwen2.5-Coder-7B", "2026-11-22")
    law = file.profile().law
    assert 1 / law.seconds(1, 1, 6144) == pytest.approx(81, rel=0.1)
    assert law.seconds(1500, 1, 1500, 1500**2 / 2) == pytest.approx(0.118, rel=0.1)
    assert file.validation == "unvalidated"
    assert file.made.method == "roofline"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"hidden_size": None}, "hidden_size: got None"),
        ({"num_hidden_layers": -4}, "num_hidden_layers: got -4"),
        ({"vocab_size": "many"}, "vocab_size: got 'many'"),
        ({"kv_lora_rank": 512}, "kv_lora_rank"),
        ({"quantization_config": {"bits": 3}}, "quantization_config.bits: got 3"),
    ],
)
def test_a_bad_config_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=r"config\.json") as error:
        read_shape(config(tmp_path, QWEN_7B | change))
    assert named in str(error.value)


def test_a_model_that_does_not_fit_and_an_unknown_gpu_are_refused(tmp_path: Path) -> None:
    folder = config(tmp_path, QWEN_7B)
    with pytest.raises(ConfigError, match=r"big needs 18\.2 GB"):
        from_config(folder, "t4", "big", "2026-11-22")
    with pytest.raises(ConfigError, match=r"hardware: got 'abacus', expected one of t4, l4"):
        from_config(folder, "abacus", "big", "2026-11-22")


def test_every_gpu_of_the_table_has_sensible_figures() -> None:
    assert gpu_kind("h200").gb == 141
    assert gpu_kind("b200").gb_per_s > gpu_kind("h200").gb_per_s
