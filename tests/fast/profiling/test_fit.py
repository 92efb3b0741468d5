"""The fit finds a law that is known, under noise and outliers, and chooses its form rightly."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from cato_backend.errors import EngineError
from cato_backend.profile_files.profile import StepLaw
from cato_backend.profiling.cells import Cell
from cato_backend.profiling.fit import Sample, errors_of, fit, fit_additive, fit_max, predict

GPU = StepLaw("max", 0.002, 0.0096, 8e-5, 1e-5, 3e-8, 1e-10)
CPU = StepLaw("additive", 0.003, 0.0, 4e-5, 1e-4, 2e-7, 6e-8)


def samples(
    law: StepLaw, seed: int = 1, noise: float = 0.05, outliers: float = 0.05, count: int = 120
) -> list[Sample]:
    """Steps as they would be measured on an engine of this law."""
    rng, found = random.Random(seed), list[Sample]()
    for number in range(count):
        batch, context = rng.choice([1, 2, 4, 8, 16, 32, 64]), rng.choice([64, 500, 1500, 4000])
        new, cached = rng.choice([0, 0, 16, 64, 256, 1024]), rng.choice([0, 1024])
        kv_tokens = batch * context + (new + cached if new else 0)
        cell = Cell(
            "any",
            batch + new,
            batch + (new > 0),
            kv_tokens,
            new * (cached + new / 2),
            number % 4 == 0,
        )
        seconds = predict(law, cell) * rng.lognormvariate(0, noise)
        found.append(Sample(cell, seconds * (rng.uniform(2, 5) if rng.random() < outliers else 1)))
    return found


@pytest.mark.parametrize("law", [GPU, CPU], ids=["max", "additive"])
def test_the_right_form_is_kept_and_predicts_the_truth(law: StepLaw) -> None:
    found = fit(samples(law))
    truth = [Sample(s.cell, predict(law, s.cell)) for s in samples(law, seed=2)]
    assert found.law.form == law.form
    assert errors_of(found.law, truth).mean < 3


def test_without_noise_the_coefficients_themselves_are_found() -> None:
    additive = fit_additive(samples(CPU, noise=0, outliers=0))
    assert additive.base == pytest.approx(CPU.base, rel=0.01)
    assert additive.per_attention == pytest.approx(CPU.per_attention, rel=0.01)
    maximum = fit_max(samples(GPU, noise=0, outliers=0))
    assert maximum.per_new_token == pytest.approx(GPU.per_new_token, rel=0.02)
    assert maximum.weights + maximum.base == pytest.approx(GPU.weights + GPU.base, rel=0.02)


def test_one_step_in_ten_that_is_far_off_does_not_bend_the_law() -> None:
    bent = [
        replace(s, seconds=s.seconds / 4) if index % 10 == 3 else s
        for index, s in enumerate(samples(CPU, outliers=0))
    ]
    truth = [Sample(s.cell, predict(CPU, s.cell)) for s in samples(CPU, seed=2)]
    assert errors_of(fit(bent).law, truth).mean < 4


def test_no_coefficient_is_negative_even_where_the_data_would_like_it() -> None:
    odd = [replace(s, seconds=0.02 - 1e-7 * s.cell.kv_tokens / 100) for s in samples(CPU)]
    law = fit(odd).law
    parts = (law.base, law.weights, law.per_new_token, law.per_sequence, law.per_kv_token)
    assert min(*parts, law.per_attention) >= 0


def test_the_reported_error_is_that_of_steps_not_fitted_to() -> None:
    measured = samples(CPU, noise=0, outliers=0)
    lied = [replace(s, seconds=2 * s.seconds) if s.cell.held_out else s for s in measured]
    found = fit(lied)
    assert found.fitted.mean < 1
    assert found.held_out[found.law.form].mean == pytest.approx(50, abs=2)


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(EngineError, match="too few steps"):
        fit(samples(CPU, count=8))
