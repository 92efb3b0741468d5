"""How long the answers of live requests will be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from cato_backend.prediction.lengths import OutputLengths
from cato_backend.requests import Request
from cato_backend.scheduling.replica import Attempt, Ending
from cato_backend.wire.headers import Task

_Z90 = 1.2816
"""The standard normal's 90% quantile."""
_LEAST_SPREAD = 0.1
_TRANSLATION_BASE_S, _TRANSLATION_TOKEN_S, _TRANSLATION_LONGEST_S = 2.0, 0.03, 15.0
"""A translation's own target tells its expected length (DESIGN section 2)."""
_TRANSLATION_SPREAD = 0.35


@dataclass(frozen=True, slots=True)
class Length:
    """Output tokens as a log-normal belief: exp(N(mu, sigma))."""

    mu: float
    sigma: float

    @property
    def median(self) -> float:
        """Tokens."""
        return math.exp(self.mu)

    def chance_within(self, tokens: float) -> float:
        """The probability that the answer is no longer than this."""
        if tokens < 1.0:
            return 0.0
        return normal((math.log(tokens) - self.mu) / self.sigma)


class Truth(Protocol):
    """What a simulation knows and nobody else can: for the reference bound."""

    def output_tokens(self, request_id: str) -> int:
        """The answer's true length."""
        ...


class Lengths:
    """Beliefs about live requests, learned from ended ones; the truth where it is given."""

    def __init__(self, truth: Truth | None = None) -> None:
        self._learned = OutputLengths()
        self._truth = truth
        self._beliefs: dict[str, Length] = {}

    def of(self, request: Request) -> Length:
        """The belief about a live request; one for its whole life."""
        belief = self._beliefs.get(request.id)
        if belief is None:
            belief = self._beliefs[request.id] = self._believe(request)
        return belief

    def forget(self, request: Request) -> None:
        """The request is over."""
        self._beliefs.pop(request.id, None)

    def observe(self, attempt: Attempt, ending: Ending) -> None:
        """An attempt is over; one that failed says nothing."""
        request = attempt.request
        if ending is not Ending.FAILED:
            self._learned.observe(
                request.task,
                request.prompt_tokens,
                request.max_tokens,
                attempt.emitted,
                finished=ending is Ending.FINISHED,
            )

    def _believe(self, request: Request) -> Length:
        if self._truth is not None:
            return Length(math.log(self._truth.output_tokens(request.id)), _LEAST_SPREAD)
        budget_s = request.target.e2e_s
        if request.task is Task.TRANSLATION and budget_s is not None:
            expected = (budget_s - _TRANSLATION_BASE_S) / _TRANSLATION_TOKEN_S
            if expected > 1 and budget_s < _TRANSLATION_LONGEST_S:
                return Length(math.log(expected), _TRANSLATION_SPREAD)
        return self._quantiles(request)

    def _quantiles(self, request: Request) -> Length:
        about = (request.task, request.prompt_tokens, request.max_tokens)
        median, high = (max(1.0, self._learned.quantile(*about, q)) for q in (0.5, 0.9))
        mu = math.log(median)
        return Length(mu, max(_LEAST_SPREAD, (math.log(high) - mu) / _Z90))


def normal(x: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2))
