"""Estimates the probability of an answer's parts where the engine reports no log probabilities.

A model that is unsure of a token samples different ones. So text that several answers to the same
question agree on is more likely right. How much more is learned from what the person typed after
earlier answers: a server that ignores the temperature always gives the same answer, and its
agreement means nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from cato_lsp.completion.reader import PART
from cato_lsp.completion.reuse import Answer, Token, typed_since

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

_LAST_WORD = re.compile(r"\w+\Z")

_LONGEST_TYPED = 2_000
"""Characters typed since an answer, from which on it is not judged any more."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of the further answers that agreed so far: how many continue, and how many of these agree."""

    others: int = 0
    agree: int = 0

    @property
    def typical_errors(self) -> float:
        """The chance that a piece is wrong, where a model's samples tell how sure it is."""
        return (STRENGTH * ERRORS + self.others - self.agree) / (STRENGTH + self.others)


class Reliability:
    """Learns how often the parts of answers were wrong, by the evidence for them."""

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


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """About a token of an answer; `end`: where it ends in the answer."""

    text: str
    end: int
    evidence: Evidence


def parts_of(text: str, others: Sequence[str]) -> Iterator[AnswerPart]:
    """Yield the pieces of an answer, with what `others` say that answer the same question."""
    agreeing = list(others)
    for found in PART.finditer(text):
        start, end = found.span()
        agree = [other for other in agreeing if other.startswith(found[0], start)]
        # Another one that is shorter has not said yet whether it agrees.
        differ = [other for other in agreeing if not found[0].startswith(other[start:end])]
        yield AnswerPart(found[0], end, Evidence(len(agree) + len(differ), len(agree)))
        agreeing = agree


def whole_words(text: str) -> str:
    """Return the text of an answer that broke off, without a word that may not be whole."""
    return _LAST_WORD.sub("", text)


def believed(text: str, others: Sequence[str], reliability: Reliability) -> Iterator[Token]:
    """Yield an answer as tokens that tell how likely they are right."""
    end = 0
    for part in parts_of(text, others):
        yield Token(part.text, reliability.logprob(part.evidence))
        end = part.end
    if end < len(text):
        yield Token(text[end:], 0.0)


class Judgement:
    """Compares one answer with the text that the person types at its place."""

    def __init__(self, answer: Answer, reliability: Reliability) -> None:
        self._answer, self._reliability = answer, reliability
        self._judged = 0
        self.over = False
        """Whether there is nothing more to compare."""

    def changed(self, text: str, cursor: int) -> None:
        """Compare with the lines above the cursor: one that is left is as the person wants it."""
        if self.over:
            return
        settled = text.rfind("\n", 0, cursor) + 1
        typed = typed_since(self._answer.place, text, cursor, _LONGEST_TYPED)
        if typed is None:
            self.over = True
            return
        written = typed[: max(len(typed) - (cursor - settled), 0)]
        if written:
            self._compare(written)

    def _compare(self, written: str) -> None:
        said = parts_of(self._answer.text, self._answer.other_texts)
        for part in islice(said, self._judged, None):
            right = written.startswith(self._answer.text[: part.end])
            if not right and self._answer.text.startswith(written):
                return
            self._reliability.observe(part.evidence, right=right)
            self._judged += 1
            if not right:
                self.over = True
                return
        self.over = True
