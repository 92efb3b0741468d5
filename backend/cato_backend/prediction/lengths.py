"""Output lengths: quantiles per task and prompt length, from complete and from censored answers.

A product-limit (Kaplan-Meier) estimate on geometric bins. Each bin has a hazard: of the answers
that reached it, the share that ended in it. An answer that was cancelled, or that ran into
max_tokens, says of the bins that it passed that it did not end there, and nothing of those beyond.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from cato_backend.wire.headers import Task

_LONGEST = 16_384
_GROWTH = 1.15
_PRIOR_ANSWERS = 20.0
"""How many observed answers the prior, or the task as a whole for one band, weighs as much as."""
_MEMORY = 0.998
"""Weight of an observation after one more of its kind: half after some 350."""
_REFRESH = 8
"""An estimate is reused until this number of further answers of its task are known."""
_FIRST_BAND = 64
"""Prompts up to this number of tokens are one band; each further band is twice as wide."""
_LAST_BAND = 8


@dataclass(frozen=True, slots=True)
class LogNormal:
    """One part of a mixture: exp(N(mu, sigma)) tokens, no more than `cap`."""

    weight: float
    mu: float
    sigma: float
    cap: float = math.inf

    def share_within(self, tokens: float) -> float:
        """Return the share of answers with at most this many tokens."""
        if tokens >= self.cap:
            return 1.0
        return 0.5 * math.erfc((self.mu - math.log(tokens)) / (self.sigma * math.sqrt(2)))


_MIXTURES = {
    Task.COMPLETION: (LogNormal(0.85, 2.0, 0.6, 20), LogNormal(0.15, 3.9, 0.8, 200)),
    Task.GENERATION: (LogNormal(1.0, 5.54, 0.66, 1024),),
    Task.SUMMARIZATION: (LogNormal(0.9, 3.9, 0.7, 256), LogNormal(0.1, 5.2, 0.5)),
    Task.AGENT: (LogNormal(1.0, 5.4, 1.0),),
}
"""Of output lengths before the first answer: the published shapes of such traffic. Completions:
mostly one line, some a block. Chat: RealHumanEval's answers. Summaries: docstrings. Translations
are sources times the ratio of the languages."""
_INSTRUCTION_TOKENS = 100
"""Of a translation's prompt, before the source."""
_TRANSLATION_RATIO = 1.5
_TRANSLATION_SIGMA = 0.5
"""Of the ratio among pairs of languages and within one, and of the source within a band."""


def ended_shares(task: Task, prompt_tokens: float, edges: Sequence[int]) -> list[float]:
    """Return for each edge the share of answers with at most that many tokens.

    1 at the last.
    """
    mixture = _mixture(task, prompt_tokens)
    shares = [sum(part.weight * part.share_within(edge) for part in mixture) for edge in edges]
    return [*shares[:-1], 1.0]


def _mixture(task: Task, prompt_tokens: float) -> Sequence[LogNormal]:
    if task is Task.TRANSLATION:
        source = max(32.0, prompt_tokens - _INSTRUCTION_TOKENS)
        return (LogNormal(1.0, math.log(_TRANSLATION_RATIO * source), _TRANSLATION_SIGMA),)
    return _MIXTURES[task]


def _edges() -> list[int]:
    """Upper ends of the bins, the last one for all that is longer: 1, 2, 3 ... 16384."""
    edges = [1]
    while edges[-1] < _LONGEST:
        edges.append(max(edges[-1] + 1, round(edges[-1] * _GROWTH)))
    return edges


EDGES = _edges()


def band_of(prompt_tokens: int) -> int:
    """Return the band of a prompt length."""
    return min(_LAST_BAND, max(0, (prompt_tokens - 1) // _FIRST_BAND).bit_length())


def bin_of(tokens: float) -> int:
    """Return the bin of an answer with this many tokens."""
    return min(len(EDGES) - 1, bisect_right(EDGES, max(0.0, tokens - 1)))


@dataclass(slots=True)
class _Counts:
    """Weighted answers by bin: that reached it, and that ended in it."""

    reached: list[float] = field(default_factory=lambda: [0.0] * len(EDGES))
    ended: list[float] = field(default_factory=lambda: [0.0] * len(EDGES))
    answers: int = 0
    unit: float = 1.0
    """Weight of the next observation: growing it forgets all others at no cost."""

    def add(self, tokens: int, finished: bool) -> None:
        last = bin_of(tokens)
        for passed in range(last):
            self.reached[passed] += self.unit
        # What was cut off within a bin was at risk there for half of it (actuarial estimate).
        self.reached[last] += self.unit if finished else self.unit / 2
        if finished:
            self.ended[last] += self.unit
        self.answers += 1
        self.unit /= _MEMORY
        if self.unit > 1e6:
            self._rescale()

    def _rescale(self) -> None:
        self.reached = [weight / self.unit for weight in self.reached]
        self.ended = [weight / self.unit for weight in self.ended]
        self.unit = 1.0


class Survival:
    """The share of answers that are longer than each bin; 1 before the first."""

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = shares
        self._falling = [-share for share in shares]

    @property
    def shares(self) -> Sequence[float]:
        """After each bin."""
        return self._shares

    def _before(self, number: int) -> float:
        return self._shares[number - 1] if number else 1.0

    def quantile(self, q: float, emitted: int = 0) -> float:
        """Return quantile `q` of the length of answers that have this number of tokens already."""
        left = self._longer_than(emitted) * (1 - q)
        number = min(len(EDGES) - 1, bisect_right(self._falling, -left))
        low, high = (EDGES[number - 1] if number else 0), EDGES[number]
        before, after = self._before(number), self._shares[number]
        within = (before - left) / (before - after) if before > after else 1.0
        return max(emitted + 1.0, low + (high - low) * min(1.0, max(0.0, within)))

    def _longer_than(self, tokens: int) -> float:
        """Return the share of answers longer than this, evenly spread within a bin."""
        if tokens <= 0:
            return 1.0
        number = bin_of(tokens)
        low, high = (EDGES[number - 1] if number else 0), EDGES[number]
        before, after = self._before(number), self._shares[number]
        share = before + (after - before) * min(1.0, (tokens - low) / (high - low))
        return max(share, 1e-12)


def _survival(counts: _Counts, prior: Survival) -> Survival:
    """Return the estimate.

    The prior counts as `_PRIOR_ANSWERS` answers that were seen to their end.
    """
    shares: list[float] = []
    left, prior_reached = 1.0, _PRIOR_ANSWERS
    for number, after in enumerate(prior.shares):
        prior_left = _PRIOR_ANSWERS * after
        reached = counts.reached[number] / counts.unit + prior_reached
        ended = counts.ended[number] / counts.unit + prior_reached - prior_left
        left *= 1 - ended / reached if reached > 0 else 0.0
        shares.append(max(0.0, left))
        prior_reached = prior_left
    return Survival(shares)


class OutputLengths:
    """Lengths of one model's answers."""

    def __init__(self) -> None:
        self._tasks = {task: _Counts() for task in Task}
        self._bands: dict[tuple[Task, int], _Counts] = {}
        self._estimates: dict[tuple[Task, int], tuple[int, Survival]] = {}

    def observe(
        self, task: Task, prompt_tokens: int, max_tokens: int, emitted: int, *, finished: bool
    ) -> None:
        """Record that an answer is over.

        `finished` when it came to its own end (or the client had `enough`), False when it was cut
        off. One that reached max_tokens counts as cut off by it.
        """
        if emitted < 1 and not finished:
            return
        whole = finished and emitted < max_tokens
        band = band_of(prompt_tokens)
        self._tasks[task].add(emitted, whole)
        self._bands.setdefault((task, band), _Counts()).add(emitted, whole)

    def quantile(
        self, task: Task, prompt_tokens: int, max_tokens: int, q: float, emitted: int = 0
    ) -> float:
        """Return the output tokens that a share `q` of such answers does not exceed.

        Those already emitted are included; it is at most max_tokens.
        """
        survival = self._estimate(task, band_of(prompt_tokens))
        return min(float(max_tokens), survival.quantile(q, emitted))

    def remaining(
        self, task: Task, prompt_tokens: int, max_tokens: int, q: float, emitted: int
    ) -> float:
        """Return the same without those already emitted; not below 0."""
        return max(0.0, self.quantile(task, prompt_tokens, max_tokens, q, emitted) - emitted)

    def _estimate(self, task: Task, band: int) -> Survival:
        answers = self._tasks[task].answers
        found = self._estimates.get((task, band))
        if found is not None and answers < found[0] + _REFRESH:
            return found[1]
        estimate = self._fresh_estimate(task, band)
        self._estimates[task, band] = (answers, estimate)
        return estimate

    def _fresh_estimate(self, task: Task, band: int) -> Survival:
        """Return the estimate of a band.

        It leans on its task's answers of all bands, and these on the published shapes.
        """
        whole = _survival(self._tasks[task], _prior(task, band))
        counts = self._bands.get((task, band))
        return whole if counts is None else _survival(counts, whole)


@cache
def _prior(task: Task, band: int) -> Survival:
    prompt_tokens = _FIRST_BAND * 2 ** max(0, band - 1) * (1.5 if band else 0.75)
    return Survival([1 - share for share in ended_shares(task, prompt_tokens, EDGES)])
