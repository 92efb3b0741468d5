"""A step law from composed step times: both forms fitted, the better on held-out steps kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from bench.gpu_profiles.steps import Step
from bench.gpu_profiles.tables import Floats
from cato_backend.profile_files.profile import Form, StepLaw

HELD_OUT = 0.3
FORMS: tuple[Form, ...] = ("max", "additive")


@dataclass(frozen=True, slots=True)
class Fit:
    """A law, and its absolute error in percent on the steps that it was not fitted to."""

    law: StepLaw
    cells: int
    mean_percent: float
    p90_percent: float


def fit_law(steps: Sequence[Step], seconds: Floats, seed: int = 0) -> Fit:
    """The better of the two forms."""
    held_out = np.random.default_rng(seed).random(len(steps)) < HELD_OUT
    loads = np.array([[s.new_tokens, s.sequences, s.kv_tokens, s.attention] for s in steps], float)
    laws = [fit_form(form, loads[~held_out], seconds[~held_out]) for form in FORMS]
    fits = [_judged(law, loads[held_out], seconds[held_out]) for law in laws]
    return min(fits, key=lambda fit: fit.mean_percent)


def fit_form(form: Form, loads: Floats, seconds: Floats) -> StepLaw:
    """Non-negative coefficients with the least robust relative error (`soft_l1` beyond 10%).

    The max form has local minima: the search starts from several shares of the fixed time.
    """
    found = [_search(form, loads, seconds, share) for share in (0.1, 0.5, 0.9)]
    return min(found, key=lambda each: each[0])[1]


def _search(form: Form, loads: Floats, seconds: Floats, share: float) -> tuple[float, StepLaw]:
    new_tokens, _, kv_tokens, _ = loads.T
    shortest = seconds.min()
    typical = np.array(
        [
            share * shortest,
            (1 - share) * shortest if form == "max" else 0.0,  # else it is one with the base
            np.quantile(seconds / new_tokens, 0.05),
            shortest / 100,
            np.quantile(seconds / kv_tokens, 0.05) / 2,
            1e-10,
        ]
    )

    def law(scaled: Floats) -> StepLaw:
        return StepLaw(form, *(float(value) for value in scaled * typical))

    def error(scaled: Floats) -> Floats:
        return predicted(law(scaled), loads) / seconds - 1

    best = least_squares(error, np.ones(6), bounds=(0, np.inf), loss="soft_l1", f_scale=0.1)
    return float(best.cost), law(best.x)


def predicted(law: StepLaw, loads: Floats) -> Floats:
    """`law.seconds` of every row: N, S, K, A."""
    new_tokens, sequences, kv_tokens, attention = loads.T
    reading = law.weights + law.per_kv_token * kv_tokens
    computing = law.per_new_token * new_tokens
    core = np.maximum(reading, computing) if law.form == "max" else reading + computing
    return np.asarray(
        law.base + core + law.per_sequence * sequences + law.per_attention * attention
    )


def _judged(law: StepLaw, loads: Floats, seconds: Floats) -> Fit:
    errors = 100 * np.abs(predicted(law, loads) / seconds - 1)
    return Fit(law, len(errors), float(errors.mean()), float(np.quantile(errors, 0.9)))
