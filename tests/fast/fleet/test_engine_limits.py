"""What an engine that is started here may do in a step, and who decides that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cato_backend.config import Config, parse_config
from cato_backend.errors import ConfigError
from cato_backend.fleet.engine_limits import limits_of, told_limits
from cato_backend.fleet.launch import plan_local
from cato_backend.profile_files.document import ProfileFile
from cato_backend.profile_files.files import save_profile
from cato_backend.profile_files.profile import EngineLimits, Profile
from tests.fast.profile_files.test_files import GOOD

KNOWN = ProfileFile.model_validate(GOOD).profile()


def config(**model: object) -> Config:
    return parse_config({"models": [{"name": "coder", **model}], "engine": {"kind": "emulated"}})


def limits(known: Profile | None = KNOWN, **model: object) -> EngineLimits:
    one = config(**model)
    return limits_of(one, one.models[0], known)


def test_they_are_chosen_by_law_and_targets() -> None:
    found = limits()
    assert 64 <= found.long_prefill_token_threshold < found.max_num_batched_tokens <= 2048
    assert found.max_num_seqs == 64
    slower = replace(KNOWN, law=replace(KNOWN.law, per_new_token=8e-4))
    assert limits(slower).max_num_batched_tokens < found.max_num_batched_tokens


def test_the_configuration_goes_before_what_is_chosen() -> None:
    found = limits(max_num_batched_tokens=4096, long_prefill_token_threshold=0)
    assert (found.max_num_batched_tokens, found.long_prefill_token_threshold) == (4096, 0)


def test_the_user_s_own_arguments_go_before_the_configuration() -> None:
    arguments = [
        *("--max-num-batched-tokens", "1024", "--long-prefill-token-threshold=128"),
        *("--max-num-seqs", "8", "--max-model-len", "4096"),
    ]
    found = limits(
        max_num_batched_tokens=4096, long_prefill_token_threshold=0, engine_args=arguments
    )
    assert found == replace(
        KNOWN.limits,
        max_num_seqs=8,
        max_num_batched_tokens=1024,
        long_prefill_token_threshold=128,
        max_model_len=4096,
    )


def test_without_a_profile_they_are_those_that_suit_most() -> None:
    found = limits(None)
    assert (found.max_num_batched_tokens, found.long_prefill_token_threshold) == (2048, 512)
    assert limits(None, max_model_len=512).long_prefill_token_threshold == 0


def test_engine_and_scheduler_are_told_the_same(tmp_path: Path) -> None:
    file = tmp_path / "law.json"
    save_profile(ProfileFile.model_validate(GOOD), file)
    (planned,) = plan_local(config(profile=str(file), path=GOOD["model"]))
    engine, expected = planned.spec.engine, planned.expected
    assert expected.profile is not None
    assert expected.limits == expected.profile.limits
    assert engine.max_num_batched_tokens == expected.limits.max_num_batched_tokens
    assert engine.long_prefill_token_threshold == expected.limits.long_prefill_token_threshold
    assert f"{engine.long_prefill_token_threshold} of a prompt" in expected.place


def test_of_a_server_that_runs_elsewhere_only_what_is_told_is_known() -> None:
    plain = {"url": "http://x"}
    told = {"url": "http://y", "long_prefill_token_threshold": 512}
    one = parse_config({"replicas": [plain, told]})
    assert told_limits(one.replicas[0], KNOWN) is None
    found = told_limits(one.replicas[1], None)
    assert found is not None
    assert found.long_prefill_token_threshold == 512
    assert told_limits(one.replicas[1], KNOWN) == replace(
        KNOWN.limits, long_prefill_token_threshold=512
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"models": [{"name": "a", "long_prefill_token_threshold": -1}]}, "got -1"),
        ({"models": [{"name": "a", "max_num_batched_tokens": 8}]}, "got 8"),
        ({"replicas": [{"url": "http://x", "max_num_batched_tokens": 0}]}, "got 0"),
    ],
)
def test_what_makes_no_sense_is_refused(section: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_config(section)
