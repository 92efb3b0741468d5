"""The shipped pins."""

from __future__ import annotations

import re

import pytest

from cato_backend.engines.environments import EngineKind, pins_of
from cato_backend.engines.pip import known_hashes, with_hashes

EXACT = re.compile(r"^[\w.-]+==[\w.+]+(; platform_machine == '\w+')?$")


@pytest.mark.parametrize("kind", list(EngineKind))
def test_everything_is_pinned_exactly(kind: EngineKind) -> None:
    pins = pins_of(kind)
    for step in pins.steps:
        assert all(EXACT.match(requirement) for requirement in step.requirements), step.name
    assert EXACT.match(pins.pip)
    assert pins.imports


def test_what_breaks_or_bloats_the_cpu_engine_is_left_out() -> None:
    steps = pins_of(EngineKind.CPU).steps
    names = {requirement.split("==")[0] for step in steps for requirement in step.requirements}
    assert names.isdisjoint({"torchvision", "torchaudio", "torchcodec", "triton"})
    assert not any(step.dependencies for step in steps)


def test_only_pytorch_has_an_index_of_its_own() -> None:
    indexed = [step for step in pins_of(EngineKind.CPU).steps if step.extra_index]
    assert [step.requirements for step in indexed] == [("torch==2.13.0+cpu",)]


def test_the_files_of_all_packages_are_checked_that_have_no_index_of_their_own() -> None:
    pins = pins_of(EngineKind.CPU)
    assert with_hashes([pins.pip]) is not None
    for step in pins.steps:
        assert (with_hashes(step.requirements) is None) is (step.extra_index is not None), step.name


def test_a_requirement_keeps_its_marker_and_has_hashes_whatever_its_spelling() -> None:
    marker = "intel-openmp==2024.2.1; platform_machine == 'x86_64'"
    text = with_hashes([marker, "docstring_parser==0.18.0"])
    assert text is not None
    first, second = text.splitlines()
    assert first.startswith(f"{marker} --hash=sha256:")
    assert second.startswith("docstring_parser==0.18.0 --hash=sha256:")
    assert with_hashes(["docstring_parser==0.18.0", "unknown==1"]) is None
    assert with_hashes(["docstring_parser==0.18.1"]) is None
    assert with_hashes(["/some/wheel.whl"]) is None


def test_no_hash_is_kept_that_nothing_needs() -> None:
    pins = pins_of(EngineKind.CPU)
    needed = [*(r for step in pins.steps for r in step.requirements), pins.pip]
    names = {re.sub(r"[-_.]+", "-", r.partition("==")[0]).lower() for r in needed}
    assert {key.partition("==")[0] for key in known_hashes()} <= names


def test_the_digest_tells_kinds_apart() -> None:
    assert pins_of(EngineKind.CPU).digest != pins_of(EngineKind.GPU).digest
    assert pins_of(EngineKind.CPU).digest == pins_of(EngineKind.CPU).digest
