"""Output lengths, corrected by the time that clients allow for a whole answer.

A client that allows more time for longer answers tells by its deadline how long an answer will
be. How far that holds is learned, per class: what an estimate lacks, `ln(actual / estimated)`, is
fitted as a linear function of `ln(budget)` and of the logarithm of the estimate itself, by
recursive least squares with forgetting. Where all budgets are alike, only the estimate's bias is
corrected.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_MEMORY = 0.995
"""Weight of an answer after one more: half after some 140."""
_PRIOR_VARIANCES = (1.0, 1.0, 0.25)
"""Of the bias and the two slopes, all 0 before any answer; in units of the residuals' variance."""
_FIRST_VARIANCE = 0.25
"""Of the residuals, before any answer."""
_FIRST_WEIGHT = 4
"""Answers that this counts as."""
_VARIANCE_RATE = 0.03
"""Least weight of one answer in what is known of the residuals' variance."""
_USUAL_TOKENS, _USUAL_BUDGET_S = 100.0, 8.0
"""Where the features are 0."""
_LEAST_BUDGET_S, _LONGEST_BUDGET_S = 0.5, 240.0
"""Budgets beyond these count as these. A single one of 1 ms or of an hour would weigh as much as
hundreds of others."""
_TELLING_BUDGET_S = 0.05
"""No answer is whole in less, so that such a budget tells nothing of its length. A call that comes
after its workflow's deadline has one."""


class BudgetCorrection:
    """For one class of requests with end-to-end targets."""

    def __init__(self) -> None:
        self._weights = np.zeros(3)
        self._prior = np.array(_PRIOR_VARIANCES)
        self._covariance = np.diag(self._prior)
        self._variance = _FIRST_VARIANCE
        self._answers = _FIRST_WEIGHT

    def corrected(self, mu: float, budget_s: float) -> tuple[float, float]:
        """Return mean and standard deviation of `ln(tokens)` for an estimate of `exp(mu)`."""
        x = _features(mu, budget_s)
        uncertain = 1.0 + float(x @ self._covariance @ x)
        return mu + float(self._weights @ x), math.sqrt(self._variance * uncertain)

    def observe(self, mu: float, budget_s: float, tokens: int, *, finished: bool) -> None:
        """Record an answer that is over, estimated at `exp(mu)` tokens.

        One that was cut off tells only that it was longer.
        """
        if budget_s < _TELLING_BUDGET_S:
            return
        x = _features(mu, budget_s)
        error = math.log(max(1, tokens)) - mu - float(self._weights @ x)
        if not finished and error < 0:
            return
        seen = self._covariance @ x
        uncertain = 1.0 + float(x @ seen)
        self._answers += 1
        rate = max(_VARIANCE_RATE, 1 / self._answers)
        self._variance += rate * (error**2 / uncertain - self._variance)
        self._weights = self._weights + seen * (error / uncertain)
        self._covariance = _forgotten(
            self._covariance - np.outer(seen, seen) / uncertain, self._prior
        )


def _forgotten(covariance: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance after one answer's worth of forgetting, never wider than the prior.

    What is forgotten of the answers is known by the prior again. Without that, what is never
    observed, such as the effect of a budget that is always the same, would be forgotten without
    bound.
    """
    known = _MEMORY * np.linalg.inv(covariance) + (1 - _MEMORY) * np.diag(1 / prior)
    found = np.linalg.inv(known).astype(np.float64)
    return (found + found.T) / 2


def _features(mu: float, budget_s: float) -> NDArray[np.float64]:
    bounded_s = min(max(_LEAST_BUDGET_S, budget_s), _LONGEST_BUDGET_S)
    budget = math.log(bounded_s / _USUAL_BUDGET_S)
    return np.array([1.0, budget, mu - math.log(_USUAL_TOKENS)])
