"""The profiler's steps as `cato serve` would have learned them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.profile_files.profile import StepLaw
from cato_backend.profiling.fit import Sample, errors_of, fit
from cato_backend.profiling.report import learned_online
from tests.fast.profiling.test_fit import CPU, GPU, samples


def as_kinds(measured: list[Sample]) -> list[Sample]:
    """With the kinds that the profiler gives its cells."""
    return [
        replace(s, cell=replace(s.cell, kind="prefill" if s.cell.attention else "decode"))
        for s in measured
    ]


@pytest.mark.parametrize("law", [GPU, CPU], ids=["max", "additive"])
def test_it_comes_near_the_fit_of_all_steps_at_once(law: StepLaw) -> None:
    measured = as_kinds(samples(law, noise=0.02, outliers=0.0))
    _, errors = learned_online(measured)
    assert errors.mean < fit(measured).held_out[law.form].mean + 10


def test_steps_that_are_held_out_are_not_learned_from() -> None:
    measured = as_kinds(samples(GPU, noise=0.02, outliers=0.0))
    wrong = [replace(s, seconds=5 * s.seconds) if s.cell.held_out else s for s in measured]
    law, _ = learned_online(wrong)
    assert law == learned_online(measured)[0]
    assert errors_of(law, measured).mean < 15
