"""What is known of output lengths before the first answer: the published shapes of such traffic.

Completions: mostly one line, some a block. Chat: RealHumanEval's answers. Summaries and
translations: docstrings, and sources times the ratio of the languages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cato_backend.wire.headers import Task


@dataclass(frozen=True, slots=True)
class LogNormal:
    """One part of a mixture: exp(N(mu, sigma)) tokens, no more than `cap`."""

    weight: float
    mu: float
    sigma: float
    cap: float = math.inf

    def share_within(self, tokens: float) -> float:
        """The share of answers of at most so many tokens."""
        if tokens >= self.cap:
            return 1.0
        return 0.5 * math.erfc((self.mu - math.log(tokens)) / (self.sigma * math.sqrt(2)))


_MIXTURES = {
    Task.COMPLETION: (LogNormal(0.85, 2.0, 0.6, 20), LogNormal(0.15, 3.9, 0.8, 200)),
    Task.GENERATION: (LogNormal(1.0, 5.54, 0.66, 1024),),
    Task.SUMMARIZATION: (LogNormal(0.9, 3.9, 0.7, 256), LogNormal(0.1, 5.2, 0.5)),
    Task.AGENT: (LogNormal(1.0, 5.4, 1.0),),
}
_INSTRUCTION_TOKENS = 100
"""Of a translation's prompt, before the source."""
_TRANSLATION_RATIO = 1.5
_TRANSLATION_SIGMA = 0.5
"""Of the ratio among pairs of languages and within one, and of the source within a band."""


def ended_shares(task: Task, prompt_tokens: float, edges: Sequence[int]) -> list[float]:
    """The share of answers of at most so many tokens, for each of the edges; 1 at the last."""
    mixture = _mixture(task, prompt_tokens)
    shares = [sum(part.weight * part.share_within(edge) for part in mixture) for edge in edges]
    return [*shares[:-1], 1.0]


def _mixture(task: Task, prompt_tokens: float) -> Sequence[LogNormal]:
    if task is Task.TRANSLATION:
        source = max(32.0, prompt_tokens - _INSTRUCTION_TOKENS)
        return (LogNormal(1.0, math.log(_TRANSLATION_RATIO * source), _TRANSLATION_SIGMA),)
    return _MIXTURES[task]
