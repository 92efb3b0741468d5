"""How long the answers of live requests will be."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Protocol

from cato_backend.prediction.budget_correction import BudgetCorrection
from cato_backend.prediction.lengths import OutputLengths
from cato_backend.requests import Request
from cato_backend.scheduling.replica import Attempt, Ending
from cato_backend.wire.headers import Task

_Z90 = 1.2816
"""The standard normal's 90% quantile."""
_LEAST_SPREAD = 0.1
_TRUST_RATE = 0.05
"""Weight of one answer in what is known of the clients' estimates."""
_FIRST_ERROR = 0.5
"""Standard deviation of ln(actual / estimated) before any answer has ended."""


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
    """What a simulation knows and nobody else can: for the reference bound."""

    def output_tokens(self, request_id: str) -> int:
        """Return the answer's true length."""
        ...


class _Estimates:
    """How far the clients' own estimates of a task's output tokens have proved true."""

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
        """Learn from an attempt that is over. One that failed says nothing."""
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
