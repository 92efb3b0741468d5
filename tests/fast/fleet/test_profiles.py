"""Which latency profile a replica gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.config import Config, parse_config
from cato_backend.errors import ConfigError
from cato_backend.fleet.profiles import local_profile, static_profile, with_limits
from cato_backend.profile_files.document import ProfileFile
from cato_backend.profile_files.files import path_in, save_profile, user_folder
from cato_backend.profile_files.hardware import gpu_hardware
from cato_backend.profile_files.profile import EngineLimits
from tests.fast.profile_files.test_files import GOOD

MODEL = {"name": "coder", "path": "Qwen/Qwen2.5-Coder-7B-Instruct"}


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user has one profile, of the 7B model on an A100."""
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    path = path_in(user_folder(), "a100-80gb", GOOD["model"])
    save_profile(ProfileFile.model_validate(GOOD), path)
    return path


def config(**values: object) -> Config:
    return parse_config(values)


def test_a_local_replica_s_is_found_by_hardware_and_model() -> None:
    one = config(models=[MODEL])
    found = local_profile(one, one.models[0], gpu_hardware("NVIDIA A100-SXM4-80GB"))
    assert found is not None
    assert found.start_s == 85.0
    assert local_profile(one, one.models[0], "an-unknown-card") is None


def test_a_named_file_wins_and_must_be_of_the_model(known: Path) -> None:
    one = config(models=[{**MODEL, "profile": str(known)}])
    assert local_profile(one, one.models[0], "an-unknown-card") is not None
    other = config(models=[{"name": "s", "path": "bigcode/starcoder2-3b", "profile": str(known)}])
    with pytest.raises(ConfigError, match=r"model: got .*7B.*expected a profile of .*starcoder2"):
        local_profile(other, other.models[0], "an-unknown-card")


def test_a_replica_by_url_has_only_what_is_named(known: Path) -> None:
    replica = {"url": "http://x"}
    plain = config(replicas=[replica])
    assert static_profile(plain, plain.replicas[0]) is None
    for named in (
        config(replicas=[{**replica, "profile": str(known)}]),
        config(replicas=[replica], scheduling={"profile": str(known)}),
    ):
        assert static_profile(named, named.replicas[0]) is not None


def test_an_engine_s_own_slots_go_into_its_profile(known: Path) -> None:
    one = config(models=[MODEL])
    limits = EngineLimits(7, 4096, long_prefill_token_threshold=512)
    profile = with_limits(local_profile(one, one.models[0], "a100-80gb"), limits)
    assert profile is not None
    assert profile.limits == limits
    assert with_limits(None, limits) is None
