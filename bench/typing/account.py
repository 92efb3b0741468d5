"""Where characters are lost that the model could have saved, by cause.

At each look the model is asked, without taking time, for all that it would say here. As far as that
is right it could have been saved. What was not on the screen is lost, each part to the cause that
came first: that the model was unsure, that the syntax ended it, that it did not come in time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import takewhile

from cato_lab.emulator.text import EmittedToken
from cato_lab.emulator.tokenizer import Tokenizer
from cato_lsp.completion.reuse import Answer, PromptAnchor, Token
from cato_lsp.suggestions.questions import CompletionContext, Source

LONGEST = 600
"""Characters; nobody wants more at once."""


class Cause(StrEnum):
    """What became of characters that the model says right."""

    SAVED = "on the screen"
    NOT_ASKED = "not asked: the place is not worth it"
    LATE = "no answer in time"
    WITHHELD = "nothing shown, though it is believed"
    OVERCONFIDENT = "behind them something wrong was shown"
    OTHER_WRONG = "something wrong was shown in their place"
    DOUBT = "cut short for doubt"
    SYNTAX = "cut short by the syntax"
    PATIENCE = "cut short, for a new answer had not come further"
    OLDER = "cut short, for an older answer ended there"


@dataclass(frozen=True, slots=True)
class Place:
    """What the person stands before."""

    truth: str
    """What they will type."""
    said: str
    """What the model says."""
    believed: str
    """As far as it is believed."""
    fitted: str
    """What of this the syntax leaves."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the screen holds."""

    ghost: str
    source: Source | None
    asking: bool
    """Whether the question is not answered yet."""
    worth_asking: bool


@dataclass(slots=True)
class Account:
    """Characters by cause, and looks."""

    characters: Counter[Cause] = field(default_factory=Counter[Cause])
    looks: Counter[Cause] = field(default_factory=Counter[Cause])

    def add(self, other: Account) -> None:
        """Takes another one in."""
        self.characters.update(other.characters)
        self.looks.update(other.looks)

    def look(self, place: Place, shown: Shown) -> None:
        """Takes note of one look at the screen."""
        for cause, characters in shares(place, shown):
            if characters > 0:
                self.characters[cause] += characters
                self.looks[cause] += 1

    def __str__(self) -> str:
        every = max(self.characters.total(), 1)
        looks = max(self.looks.total(), 1)
        lines = (
            f"  {characters / every:6.1%}  {cause} ({self.looks[cause] / looks:.1%} of parts,"
            f" {characters / self.looks[cause]:.0f} characters each)"
            for cause, characters in self.characters.most_common()
        )
        return "\n".join(lines)


def shares(place: Place, shown: Shown) -> Iterator[tuple[Cause, int]]:
    """How many of the characters that the model says right went where."""
    right = alike(place.said, place.truth)
    fitted, believed = min(len(place.fitted), right), min(len(place.believed), right)
    if not shown.ghost.strip():
        yield _nothing(shown), fitted
        yield Cause.SYNTAX, believed - fitted
        yield Cause.DOUBT, right - max(believed, fitted)
        return
    if not place.truth.startswith(shown.ghost):
        along = place.said.startswith(shown.ghost)
        yield Cause.OVERCONFIDENT if along else Cause.OTHER_WRONG, right
        return
    on_screen = len(shown.ghost)
    yield Cause.SAVED, on_screen
    fitted = max(fitted, on_screen)
    believed = max(believed, fitted)
    yield Cause.OLDER if shown.source is Source.CACHE else Cause.PATIENCE, fitted - on_screen
    yield Cause.SYNTAX, believed - fitted
    yield Cause.DOUBT, right - believed


def _nothing(shown: Shown) -> Cause:
    if not shown.worth_asking:
        return Cause.NOT_ASKED
    return Cause.LATE if shown.asking else Cause.WITHHELD


def alike(said: str, truth: str) -> int:
    """How many characters are the same, from the start; blanks at an end tell nothing."""
    same = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(said, truth, strict=False))
    )
    return len(said[:same].rstrip())


def ideal(truth: str, tokens: Sequence[Token], asked: CompletionContext) -> Place:
    """What there is at a place, if all tokens of the model were there at once."""
    said = "".join(token.text for token in tokens)
    reader = asked.judged(_answer(tokens), 0)
    return Place(
        truth, said, _believed(tokens, asked.least_confidence), reader.text(truncated=True)
    )


def _believed(tokens: Sequence[Token], least: float) -> str:
    """The text as far as the engine's own probabilities go."""
    text, believed = "", 1.0
    for token in tokens:
        believed *= math.exp(token.logprob or 0.0)
        if believed < least:
            break
        text += token.text
    return text


def _answer(tokens: Sequence[Token]) -> Answer:
    place = PromptAnchor("", "", from_start=False, to_end=False)
    text = "".join(token.text for token in tokens)
    return Answer(place, text, "", whole=True, truncated=True, ended=False, tokens=tuple(tokens))


def model_tokens(said: Iterable[EmittedToken], tokenizer: Tokenizer) -> Iterator[Token]:
    """What a model says, to the `LONGEST`."""
    characters = 0
    for one in said:
        text = tokenizer.decode((one.token,), skip_special_tokens=True)
        characters += len(text)
        if not text or characters > LONGEST:
            return
        yield Token(text, one.logprob)
