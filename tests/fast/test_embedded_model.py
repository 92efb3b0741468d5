"""The shipped weights are whole, within their limits, and damage to them is named."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from cato_backend.embedded_model import CHECKSUMS, WEIGHTS, verified_folder
from cato_backend.errors import DamagedModel
from cato_backend.tasks.families import EMBEDDED

SHARD_LIMIT, TOTAL_LIMIT = 15_000_000, 30_000_000


def read(name: str) -> Any:
    """A JSON file of the shipped model."""
    return json.loads((WEIGHTS / name).read_text(encoding="utf-8"))


def header(path: Path) -> dict[str, Any]:
    """The tensors that a safetensors file declares."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        declared: dict[str, Any] = json.loads(stream.read(length))
    declared.pop("__metadata__", None)
    return declared


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder with two files and right checksums."""
    sums = {}
    for name, content in {"config.json": b"{}", "model.safetensors": b"weights"}.items():
        (tmp_path / name).write_bytes(content)
        sums[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (tmp_path / CHECKSUMS).write_text(json.dumps(sums), encoding="utf-8")
    return tmp_path


def test_shipped_files_are_whole() -> None:
    assert verified_folder() == WEIGHTS
    assert set(read(CHECKSUMS)) | {CHECKSUMS, "MODEL_CARD.md"} == {
        path.name for path in WEIGHTS.iterdir()
    }


def test_shards_hold_what_the_index_says_within_the_limits() -> None:
    places = read("model.safetensors.index.json")["weight_map"]
    shards = sorted(WEIGHTS.glob("*.safetensors"))
    sizes = [shard.stat().st_size for shard in shards]
    assert max(sizes) <= SHARD_LIMIT
    assert sum(sizes) <= TOTAL_LIMIT
    assert {name: shard.name for shard in shards for name in header(shard)} == places
    assert {entry["dtype"] for shard in shards for entry in header(shard).values()} == {"BF16"}


def test_markers_of_the_registry_are_single_special_tokens() -> None:
    added = {token["content"]: token for token in read("tokenizer.json")["added_tokens"]}
    for marker in {*EMBEDDED.markers, *EMBEDDED.stop}:
        assert added[marker]["special"], marker


def test_generation_ends_at_the_end_token() -> None:
    added = {token["content"]: token["id"] for token in read("tokenizer.json")["added_tokens"]}
    end = added["<|endoftext|>"]
    assert read("config.json")["eos_token_id"] == end
    assert read("generation_config.json")["eos_token_id"] == [end]


def test_context_and_tokenizer_agree() -> None:
    config, tokenizer = read("config.json"), read("tokenizer.json")
    assert config["max_position_embeddings"] >= 2048
    assert read("tokenizer_config.json")["model_max_length"] == config["max_position_embeddings"]
    assert len(tokenizer["model"]["vocab"]) == config["vocab_size"]


def test_damaged_file_is_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(DamagedModel, match=r"model\.safetensors: expected SHA-256 \w+, found \w+"):
        verified_folder(folder)


def test_truncated_file_is_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"wei")
    with pytest.raises(DamagedModel, match=r"model\.safetensors: expected 7 bytes, found 3"):
        verified_folder(folder)


def test_missing_file_is_named(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(DamagedModel, match=r"config\.json: expected 2 bytes, found no"):
        verified_folder(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"config.json": {}}', '{"config.json": 1}'])
def test_useless_checksums_are_named(folder: Path, content: str) -> None:
    (folder / CHECKSUMS).write_text(content, encoding="utf-8")
    with pytest.raises(DamagedModel, match=r"checksums\.json: .*expected"):
        verified_folder(folder)


def test_missing_folder_is_named(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(DamagedModel, match=r"checksums\.json: expected .* found none"):
        verified_folder(folder)
