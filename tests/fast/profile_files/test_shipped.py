"""The profiles that come with CATO: all load, fit their GPU, and grow with the work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cato_backend.profile_files.document import ProfileFile
from cato_backend.profile_files.files import (
    find_profile,
    list_profiles,
    read_profile_file,
    shipped_folder,
)
from cato_backend.profile_files.hardware import file_name, gpu_kinds
from cato_backend.profile_files.profile import StepLaw

GPUS = {kind.name: kind for kind in gpu_kinds()}
PATHS = sorted(path for gpu in GPUS for path in (shipped_folder() / gpu).glob("*.json"))
FILES = [read_profile_file(path) for path in PATHS]
SIZES = (1, 2, 16, 128, 1024, 8192)


def named(file: ProfileFile) -> str:
    return f"{file.hardware}-{Path(file_name(file.model)).stem}"


def test_every_gpu_has_its_profiles() -> None:
    assert {file.hardware for file in FILES} == set(GPUS)
    assert len(FILES) >= 70


def test_files_lie_where_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))  # the user's own would go first
    for path, file in zip(PATHS, FILES, strict=True):
        assert path == shipped_folder() / file.hardware / file_name(file.model)
        assert find_profile(file.hardware, file.model) == file.profile()


def weight_bytes(file: ProfileFile) -> float:
    """From the number of parameters that the name of every model here tells."""
    billions = re.search(r"(?:^|-)([\d.]+)B(?:-|$)", file_name(file.model)[:-5], re.IGNORECASE)
    assert billions is not None
    return 2e9 * float(billions[1])


@pytest.mark.parametrize("file", FILES, ids=named)
def test_kv_cache_fits_beside_the_weights(file: ProfileFile) -> None:
    assert file.kv_bytes_per_token is not None
    cache = file.limits.kv_cache_tokens * file.kv_bytes_per_token
    left = GPUS[file.hardware].gb * 1e9 - cache
    assert left > weight_bytes(file)
    assert file.limits.max_model_len_tokens <= file.limits.kv_cache_tokens


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_step_takes_longer_the_more_it_does(file: ProfileFile) -> None:
    law = file.law.law()
    assert law.seconds(1, 1, 1) > 0.001
    grows(law, [(n, 1, n, n * n) for n in SIZES])
    grows(law, [(n, n, 1000 * n, 0) for n in SIZES])
    assert law.seconds(8192, 1, 8192, 8192**2) > 3 * law.seconds(1, 1, 1)


def grows(law: StepLaw, loads: list[tuple[int, int, int, int]]) -> None:
    times = [law.seconds(*load) for load in loads]
    assert times == sorted(times)


def test_faster_gpus_are_faster() -> None:
    """Of the GPUs whose figures are all better, the same model runs faster."""
    seven = {f.hardware: f.law.law() for f in FILES if f.model == "Qwen/Qwen2.5-Coder-7B"}
    order = ["l4", "a10", "l40s", "a100-80gb", "h100", "b200"]
    decode = [seven[gpu].seconds(32, 32, 64_000) for gpu in order]
    assert decode == sorted(decode, reverse=True)


def test_the_list_holds_them() -> None:
    listed = {(file.hardware, file.model) for file in list_profiles()}
    assert {(file.hardware, file.model) for file in FILES} <= listed
