"""How far an answer is believed whose engine does not tell how sure it is.

A model that is unsure of a token says something else when it is sampled. So what other answers to
the same question agree on is likelier right. How much likelier is learned from what the person
typed after former answers: a server that ignores the temperature answers the same each time, and
its agreement tells nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

ERRORS = 0.05
"""The share of an answer's pieces that are wrong, until it is known."""
STRENGTH = 2.0
"""How many agreeing answers the typical share counts for, until it is known what they tell."""
_PRIOR_PIECES = 25.0
"""How many pieces what is typical counts for."""
_MOST_PIECES = 400
"""Of one kind of evidence; then the older ones count half: the model may be another one."""
_LEAST_COMPARED = 100
"""Pieces that all answers agreed on, before anything is said of what that is worth."""
_TELLING = 0.7
"""If agreement tells anything, what all answers agreed on is wrong at most this share as often as
all pieces are."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of the other answers that agreed so far: how many go on, and how many of these agree."""

    others: int = 0
    agree: int = 0

    @property
    def typical_errors(self) -> float:
        """The chance that a piece is wrong, where a model's samples tell how sure it is."""
        return (STRENGTH * ERRORS + self.others - self.agree) / (STRENGTH + self.others)


class Reliability:
    """Learns how often the pieces of answers were wrong, by the evidence for them."""

    def __init__(self) -> None:
        self._right: Counter[Evidence] = Counter()
        self._wrong: Counter[Evidence] = Counter()

    def observe(self, evidence: Evidence, *, right: bool) -> None:
        """Learn that a piece was what the person typed, or was the first that was not."""
        (self._right if right else self._wrong)[evidence] += 1
        if self._right[evidence] + self._wrong[evidence] > _MOST_PIECES:
            self._right[evidence] //= 2
            self._wrong[evidence] //= 2

    def others_tell(self) -> bool:
        """Return whether what other answers agree on is likelier right, as far as is known."""
        right, wrong = Counter[bool](), Counter[bool]()
        for evidence in self._right.keys() | self._wrong.keys():
            agree = 0 < evidence.others == evidence.agree
            right[agree] += self._right[evidence]
            wrong[agree] += self._wrong[evidence]
        if right[True] + wrong[True] < _LEAST_COMPARED:
            return True
        errors = wrong.total() / (right.total() + wrong.total())
        return wrong[True] / (right[True] + wrong[True]) < _TELLING * errors

    def logprob(self, evidence: Evidence) -> float:
        """Return the logarithm of the probability that a piece is right if all before it are."""
        right, wrong = self._right[evidence], self._wrong[evidence]
        expected = _PRIOR_PIECES * evidence.typical_errors
        return math.log(1 - (wrong + expected) / (right + wrong + _PRIOR_PIECES))
