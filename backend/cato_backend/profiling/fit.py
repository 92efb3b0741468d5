"""Fits a step law to measured steps: non-negative, robust, in the form that predicts better.

Errors are those of logarithms, so that a step of 5 ms counts as much as one of 500. Both forms are
solved by non-negative least squares (Lawson and Hanson) with Cauchy weights, repeated until they
settle. In the max form each step belongs to the branch that is the longer one; the assignment is
refined in turns from several starts, as in a k-means of two lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from cato_backend.errors import EngineError
from cato_backend.profile_files.profile import Form, StepLaw
from cato_backend.profiling.cells import Cell

Array = NDArray[np.float64]
_TURNS = 30
_CAUCHY = 2.4
"""Residuals beyond this multiple of the usual one get almost no weight."""
_STARTS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
"""Shares of the steps, those with the fewest new tokens, first taken as bound by reading."""
_FEWEST = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """A step and how long it takes."""

    cell: Cell
    seconds: float


@dataclass(frozen=True, slots=True)
class Errors:
    """Absolute relative errors of a law, in percent."""

    cells: int
    mean: float
    p90: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The law that predicts the held-out steps better, and the errors of both forms."""

    law: StepLaw
    fitted: Errors
    held_out: dict[Form, Errors]


def fit(samples: Sequence[Sample]) -> Fit:
    """Fit both forms to the samples that are not held out. Raises EngineError with too few."""
    used = [sample for sample in samples if not sample.cell.held_out]
    checks = [sample for sample in samples if sample.cell.held_out]
    if len(used) < _FEWEST or not checks:
        found = f"{len(used)} to fit and {len(checks)} to check"
        raise EngineError(f"too few steps were measured for a fit: {found}")
    laws: dict[Form, StepLaw] = {"max": fit_max(used), "additive": fit_additive(used)}
    held_out: dict[Form, Errors] = {form: errors_of(law, checks) for form, law in laws.items()}
    best: Form = "max" if held_out["max"].mean < held_out["additive"].mean else "additive"
    return Fit(laws[best], errors_of(laws[best], used), held_out)


def errors_of(law: StepLaw, samples: Sequence[Sample]) -> Errors:
    """Return how far the law is off."""
    errors = [100 * abs(predict(law, s.cell) / s.seconds - 1) for s in samples]
    return Errors(len(errors), float(np.mean(errors)), float(np.percentile(errors, 90)))


def predict(law: StepLaw, cell: Cell) -> float:
    """Return seconds of a step."""
    return law.seconds(cell.new_tokens, cell.sequences, cell.kv_tokens, cell.attention)


def fit_additive(samples: Sequence[Sample]) -> StepLaw:
    """Return all terms add up."""
    solved = _solve(_rows(samples, ("one", "new", "sequences", "kv", "attention")), _y(samples))
    base, new, sequences, kv, attention = solved
    return StepLaw("additive", base, 0.0, new, sequences, kv, attention)


def fit_max(samples: Sequence[Sample]) -> StepLaw:
    """Return the seconds of reading or computing, whichever takes longer."""
    new_tokens = np.array([sample.cell.new_tokens for sample in samples], dtype=float)
    laws = [_settle(samples, new_tokens <= np.quantile(new_tokens, share)) for share in _STARTS]
    return min(laws, key=lambda law: errors_of(law, samples).mean)


def _settle(samples: Sequence[Sample], reads: NDArray[np.bool_]) -> StepLaw:
    """Solve with each step on its branch, move those that belong to the other one, repeats."""
    law = _solve_branches(samples, reads)
    for _ in range(_TURNS):
        moved = np.array([_is_reading(law, sample.cell) for sample in samples])
        if (moved == reads).all():
            return law
        reads, law = moved, _solve_branches(samples, moved)
    return law


def _is_reading(law: StepLaw, cell: Cell) -> bool:
    reading = law.weights + law.per_kv_token * cell.kv_tokens
    return reading >= law.per_new_token * cell.new_tokens


def _solve_branches(samples: Sequence[Sample], reads: NDArray[np.bool_]) -> StepLaw:
    columns = ("one", "one", "new", "sequences", "kv", "attention")
    rows = _rows(samples, columns)
    rows[:, [1, 4]] *= reads[:, None]
    rows[:, 2] *= ~reads
    base, weights, new, sequences, kv, attention = _solve(rows, _y(samples))
    return StepLaw("max", base, weights, new, sequences, kv, attention)


def _rows(samples: Sequence[Sample], columns: Sequence[str]) -> Array:
    values = {
        "one": [1.0 for _ in samples],
        "new": [float(sample.cell.new_tokens) for sample in samples],
        "sequences": [float(sample.cell.sequences) for sample in samples],
        "kv": [sample.cell.kv_tokens for sample in samples],
        "attention": [sample.cell.attention for sample in samples],
    }
    return np.array([values[name] for name in columns], dtype=float).T


def _y(samples: Sequence[Sample]) -> Array:
    return np.array([sample.seconds for sample in samples], dtype=float)


def _solve(rows: Array, seconds: Array) -> list[float]:
    """Non-negative coefficients with the least robust error of the logarithm.

    Each turn is linear around the last prediction, so that steps measured too short, whose relative
    error knows no bound, weigh no more than those measured too long.
    """
    scale = np.maximum(rows.max(axis=0), 1e-12)
    scaled = rows / scale
    solved, _ = nnls(scaled, seconds)
    for _ in range(_TURNS):
        before = solved
        predicted = np.maximum(scaled @ solved, seconds.min() / 10)
        errors = np.log(seconds / predicted)
        usual = max(1.4826 * float(np.median(np.abs(errors))), 1e-6)
        root = 1 / np.sqrt(1 + (errors / (_CAUCHY * usual)) ** 2)
        solved, _ = nnls(scaled * (root / predicted)[:, None], root * (1 + errors))
        if np.allclose(solved, before, rtol=1e-6):
            break
    return [float(value) for value in solved / scale]
