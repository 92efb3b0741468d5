"""The shipped pins."""

from __future__ import annotations

import re

import pytest

from cato_backend.engines.environments import EngineKind, pins_of

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


def test_the_digest_tells_kinds_apart() -> None:
    assert pins_of(EngineKind.CPU).digest != pins_of(EngineKind.GPU).digest
    assert pins_of(EngineKind.CPU).digest == pins_of(EngineKind.CPU).digest
