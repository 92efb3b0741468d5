"""How likely a suggestion is to be right by the engine, and to be accepted by the person's history.

Acceptance is a naive Bayes estimate over a few signals, each drawn towards saying nothing until it
was seen often. It orders suggestions better than it estimates chances, for signals go together:
long ones are also less sure.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass

LEAST_SEEN = 100
"""Suggestions whose outcome must be known before anything is said."""
TYPICAL_ACCEPTANCE = 0.3
"""Of what is shown; published rates are 22% to 34%."""
_PRIOR = 20.0
"""How many suggestions the typical rate, and a signal's saying nothing, count for."""
_RECENT = 8


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of a suggestion before it is shown."""

    characters: int
    lines: int
    begins_line: bool
    language: str
    confidence: float | None = None
    """The probability that it is right, by the engine's word."""


class Acceptance:
    """Learns from what became of suggestions, in their order."""

    def __init__(self) -> None:
        self._seen: Counter[bool] = Counter()
        self._by_signal: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        self._recent: deque[bool] = deque(maxlen=_RECENT)

    def learn(self, signals: Signals, *, accepted: bool) -> None:
        """Learn that a suggestion was accepted, or was not."""
        self._by_signal[accepted].update(self._names(signals))
        self._seen[accepted] += 1
        self._recent.append(accepted)

    def probability(self, signals: Signals) -> float | None:
        """Return the chance that a suggestion is accepted; None while too little is known."""
        if self._seen.total() < LEAST_SEEN:
            return None
        taken = self._seen[True] + TYPICAL_ACCEPTANCE * _PRIOR
        left = self._seen[False] + (1 - TYPICAL_ACCEPTANCE) * _PRIOR
        evidence = math.log(taken / left) + sum(map(self._evidence, self._names(signals)))
        return 1 / (1 + math.exp(-evidence))

    def _evidence(self, name: str) -> float:
        """Return by how much a signal changes the logarithm of the odds."""
        counts = {outcome: self._by_signal[outcome][name] for outcome in (True, False)}
        share = sum(counts.values()) / self._seen.total()
        if not share:
            return 0.0
        taken, left = (
            (counts[outcome] + _PRIOR * share) / (self._seen[outcome] + _PRIOR)
            for outcome in (True, False)
        )
        return math.log(taken / left)

    def _names(self, signals: Signals) -> tuple[str, ...]:
        """Return the signals in coarse steps."""
        return (
            f"length {_step(signals.characters, (12, 30, 60))}",
            f"lines {_step(signals.lines, (1, 4))}",
            f"begins line {signals.begins_line}",
            f"language {signals.language}",
            f"recent {_step(sum(self._recent), (1, 3))} of {len(self._recent) == _RECENT}",
            "confidence unknown"
            if signals.confidence is None
            else f"confidence {_step(signals.confidence, (0.85, 0.95))}",
        )


def _step(value: float, limits: tuple[float, ...]) -> int:
    return sum(value > limit for limit in limits)


class LogprobSupport:
    """Whether the backend's engine tells log probabilities, as far as its answers have shown.

    Servers may refuse the question, or ignore it and answer without log probabilities. A new
    backend is asked from the start.
    """

    def __init__(self) -> None:
        self._backend: object = None
        self._tells = False

    def may_tell(self, backend: object) -> bool:
        """Return whether it is worth asking: this backend has not shown that it does not tell."""
        return backend is not self._backend or self._tells

    def tells(self, backend: object) -> bool:
        """Return whether this backend has told them."""
        return backend is self._backend and self._tells

    def observe(self, backend: object, *, told: bool) -> None:
        """Learn from an answer that was asked to tell them."""
        self._backend, self._tells = backend, told


def least_confidence(setting: float | None, of_model: float) -> float:
    """Return the least probability of being right that a suggestion must have.

    It is what the setting says, else what suits the model.
    """
    return of_model if setting is None else setting
