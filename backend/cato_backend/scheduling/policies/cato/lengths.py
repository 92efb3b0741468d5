"""Estimates of the output lengths of live requests.

A client that allows more time for a longer answer tells by its deadline how long an answer will be.
How far that holds is learned, per class: what an estimate lacks, `ln(actual / estimated)`, is
fitted as a linear function of `ln(budget)` and of the logarithm of the estimate itself, by
recursive least squares with forgetting. Where all budgets are alike, only the estimate's bias is
corrected.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cato_backend.prediction.lengths import OutputLengths
from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt, Ending
from cato_backend.wire.headers import Task

_Z90 = 1.2816
"""The standard normal's 90% quantile."""
_LEAST_SPREAD = 0.1
_TRUST_RATE = 0.05
"""Weight of one answer in what is known of the clients' estimates."""
_FIRST_ERROR = 0.5
"""Standard deviation of ln(actual / estimated) before any answer has ended."""
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


@dataclass(frozen=True, slots=True)
class Length:
    """Output tokens as a log-normal belief: exp(N(mu, sigma))."""

    mu: float
    sigma: float

    @property
    def median(self) -> float:
        """Tokens."""
        return math.exp(self.mu)


class TrueLengths(Protocol):
    """True lengths, known only in a simulation, for the reference bound."""

    def output_tokens(self, request_id: str) -> int:
        """Return the answer's true length."""
        ...


class _Estimates:
    """The accuracy of clients' own estimates of a task's output tokens."""

    def __init__(self) -> None:
        self._bias = 0.0
        self._variance = _FIRST_ERROR**2

    def belief(self, estimated: int) -> Length:
        """Return the length of an answer that its client expects to have `estimated` tokens."""
        spread = max(_LEAST_SPREAD, math.sqrt(self._variance))
        return Length(math.log(estimated) + self._bias, spread)

    def observe(self, estimated: int, tokens: int, *, finished: bool) -> None:
        """Record that an answer is over.

        One that was cut off tells only that it was longer than it is.
        """
        error = math.log(max(1, tokens) / estimated) - self._bias
        if not finished and error < 0:
            return
        self._bias += _TRUST_RATE * error
        self._variance += _TRUST_RATE * (error**2 - self._variance)


class Lengths:
    """Beliefs about live requests, learned from ended ones; the truth where it is given."""

    def __init__(self, truth: TrueLengths | None = None) -> None:
        self._learned = OutputLengths()
        self._estimates = defaultdict[Task, _Estimates](_Estimates)
        self._corrections = defaultdict[Task, BudgetCorrection](BudgetCorrection)
        self._uncorrected: dict[str, float] = {}
        """ln(tokens) of live requests with end-to-end targets, before the correction."""
        self._truth = truth
        self._beliefs: dict[str, Length] = {}

    def of(self, request: Request) -> Length:
        """Return the belief about a live request; one for its whole life."""
        belief = self._beliefs.get(request.id)
        if belief is None:
            belief = self._beliefs[request.id] = self._believe(request)
        return belief

    def forget(self, request: Request) -> None:
        """Record that the request is over."""
        self._beliefs.pop(request.id, None)
        self._uncorrected.pop(request.id, None)

    def observe(self, attempt: Attempt, ending: Ending) -> None:
        """Learn from an attempt that has ended. A failed one is ignored."""
        request = attempt.request
        if ending is Ending.FAILED:
            return
        finished = ending is Ending.FINISHED
        self._learned.observe(
            request.task,
            request.prompt_tokens,
            request.max_tokens,
            attempt.emitted,
            finished=finished,
        )
        budget_s, mu = request.target.e2e_s, self._uncorrected.get(request.id)
        if budget_s is not None and mu is not None and attempt.emitted:
            correction = self._corrections[request.task]
            correction.observe(mu, budget_s, attempt.emitted, finished=finished)
        if request.expected_tokens is not None and attempt.emitted:
            self._estimates[request.task].observe(
                request.expected_tokens, attempt.emitted, finished=finished
            )

    def _believe(self, request: Request) -> Length:
        if self._truth is not None:
            return Length(math.log(self._truth.output_tokens(request.id)), _LEAST_SPREAD)
        found = self._uncorrected_length(request)
        if request.target.e2e_s is None:
            return found
        self._uncorrected[request.id] = found.mu
        correction = self._corrections[request.task]
        mu, sigma = correction.corrected(found.mu, request.target.e2e_s)
        bounded = max(0.0, min(mu, math.log(request.max_tokens)))
        return Length(bounded, max(_LEAST_SPREAD, sigma))

    def _uncorrected_length(self, request: Request) -> Length:
        learned = self._quantiles(request)
        if request.expected_tokens is None:
            return learned
        estimate = self._estimates[request.task].belief(request.expected_tokens)
        return min(learned, estimate, key=lambda length: length.sigma)

    def _quantiles(self, request: Request) -> Length:
        about = (request.task, request.prompt_tokens, request.max_tokens)
        median, high = (max(1.0, self._learned.quantile(*about, q)) for q in (0.5, 0.9))
        mu = math.log(median)
        return Length(mu, max(_LEAST_SPREAD, (math.log(high) - mu) / _Z90))


def normal(x: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


class BudgetCorrection:
    """A correction for one class of requests with end-to-end targets."""

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
