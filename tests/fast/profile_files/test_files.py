"""Profile files: what is written can be read again; every bad one is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cato_backend.errors import ConfigError
from cato_backend.profile_files import files

GOOD: dict[str, Any] = {
    "schema_version": 1,
    "model": "Qwen/Qwen2.5-Coder-7B",
    "hardware": "a100-80gb",
    "law": {"form": "max", "base_s": 0.002, "weights_s": 0.0096, "per_new_token_s": 8e-5},
    "limits": {
        "max_num_seqs": 256,
        "max_num_batched_tokens": 2048,
        "kv_cache_tokens": 900_000,
        "block_size_tokens": 16,
        "max_model_len_tokens": 32_768,
    },
    "kv_bytes_per_token": 57_344,
    "start_s": 85.0,
    "engine": {"name": "vllm", "version": "0.32.0", "flags": ["--enable-prefix-caching"]},
    "made": {"method": "roofline", "how": "by hand", "date": "2026-11-22"},
    "validation": "unvalidated",
}
CHECK = {"quantity": "step", "against": "held-out cells", "cells": 20}


def changed(**paths: Any) -> dict[str, Any]:
    """The good file with some values set; `law__base_s` is the one below `law`."""
    content = json.loads(json.dumps(GOOD))
    for path, value in paths.items():
        *above, last = path.split("__")
        place = content
        for part in above:
            place = place[part]
        place[last] = value
    return content


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state" / "profiles"


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_file_gives_a_profile_with_its_law_and_limits(tmp_path: Path) -> None:
    profile = files.load_profile(write(tmp_path / "a.json", GOOD))
    assert profile.law.seconds(new_tokens=1, sequences=1, kv_tokens=0) == pytest.approx(0.0116)
    assert profile.limits.kv_tokens == 900_000
    assert profile.start_s == 85
    assert profile.limits.long_prefill_token_threshold == 0


def test_a_file_may_state_the_threshold_of_long_prompts(tmp_path: Path) -> None:
    content = changed(limits__long_prefill_token_threshold=512)
    limits = files.load_profile(write(tmp_path / "a.json", content)).limits
    assert (limits.long_prefill_token_threshold, limits.longest_chunk) == (512, 512)


def test_what_is_saved_reads_back_the_same(tmp_path: Path) -> None:
    check = {**CHECK, "mean_error_percent": 4.5, "p90_error_percent": 9.0, "spread_percent": 3.0}
    first = files.read_profile_file(write(tmp_path / "a.json", changed(validation=[check])))
    files.save_profile(first, tmp_path / "deep" / "b.json")
    assert files.read_profile_file(tmp_path / "deep" / "b.json") == first


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (changed(schema_version=0), "schema_version: got 0, expected 1"),
        ({}, "schema_version: got None"),
        (changed(law__base_s=-0.001), "law.base_s: got -0.001"),
        (changed(law__base_s=float("nan")), "law.base_s: got nan"),
        (changed(law__base_s=20.0), "law.base_s: got 20.0"),  # milliseconds
        (changed(law__base_s=6.9), "law.base_s: got 6.9"),
        (changed(law={"form": "max", "base_s": 0.0}), "law: "),
        (changed(law__base_s="0.02"), "law.base_s: got '0.02'"),
        (changed(law__base_ms=20), "law.base_ms: no such field; the end of a name is its unit"),
        (changed(law__form="cubic"), "law.form: got 'cubic'"),
        (changed(limits__max_num_seqs=0), "limits.max_num_seqs: got 0"),
        (changed(hardware="../etc"), "hardware: got '../etc'"),
        (changed(made__method="guess"), "made.method: got 'guess'"),
        (changed(validation="fine"), "validation"),
        (changed(validation=[{**CHECK, "mean_error_percent": -1}]), "mean_error_percent: got -1"),
        ({k: v for k, v in GOOD.items() if k != "start_s"}, "start_s: the field is missing"),
        ([1, 2], "expected an object"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: object, named: str) -> None:
    path = write(tmp_path / "bad.json", content)
    with pytest.raises(ConfigError) as error:
        files.load_profile(path)
    assert str(path) in str(error.value)
    assert named in str(error.value)


def test_what_is_no_json_or_no_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text(json.dumps(GOOD)[:100])
    with pytest.raises(ConfigError, match=r"cut\.json: not JSON from line 1"):
        files.load_profile(tmp_path / "cut.json")
    with pytest.raises(ConfigError, match=r"none\.json: No such file"):
        files.load_profile(tmp_path / "none.json")


def test_a_profile_is_found_by_hardware_and_model_whatever_the_tuning(user_folder: Path) -> None:
    write(user_folder / "a100-80gb" / "Qwen2.5-Coder-7B.json", GOOD)
    found = files.find_profile("a100-80gb", "Qwen/Qwen2.5-Coder-7B-Instruct")
    assert found is not None
    assert found.model == GOOD["model"]
    assert files.find_profile("a100-80gb", "Qwen2.5-Coder-7B-AWQ") is None
    assert files.find_profile("moon", "Qwen2.5-Coder-7B") is None


def test_a_profile_of_another_model_under_this_name_is_refused(user_folder: Path) -> None:
    write(user_folder / "a100-80gb" / "starcoder2-3b.json", GOOD)
    with pytest.raises(ConfigError, match=r"model: got .* expected a profile"):
        files.find_profile("a100-80gb", "bigcode/starcoder2-3b")


def test_any_cpu_stands_in_for_a_cpu_without_a_profile(user_folder: Path) -> None:
    content = changed(model="tiny", hardware="cpu-x86-2core")
    write(user_folder / "cpu-x86-2core" / "tiny.json", content)
    found = files.profile_for("tiny", "cpu-arm-8core")
    assert found is not None
    assert found.hardware == "cpu-x86-2core"
    assert files.profile_for("tiny", "l4") is None


def test_the_users_own_profile_goes_before_a_shipped_one(
    user_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "shipped_folder", lambda: tmp_path / "shipped")
    write(tmp_path / "shipped" / "l4" / "m.json", changed(model="m", hardware="l4", start_s=1.0))
    write(user_folder / "l4" / "m.json", changed(model="m", hardware="l4", start_s=2.0))
    found = files.find_profile("l4", "m")
    assert found is not None
    assert found.start_s == 2


def test_every_shipped_profile_can_be_read() -> None:
    for file in files.list_profiles():
        path = files.path_in(files.shipped_folder(), file.hardware, file.model)
        assert files.read_profile_file(path, file.model) == file
