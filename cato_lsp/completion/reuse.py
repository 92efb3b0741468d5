"""Reuse of earlier answers that still fit while the person types along with them.

An answer is kept as the model gave it, together with the text that the model saw. It fits where
that text still stands around the cursor and what was typed since is how the answer begins. Any
edit of what the model saw, before or after the cursor, makes it stale.

A radix tree would find the longest match among thousands of answers; a document has at most
`KEPT` that could fit, and looking through them takes some microseconds each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

KEPT = 32
"""Answers per document."""
_ANCHOR = 128
"""Characters before the place by which it is found again."""
_MOST_CLOSERS = 3

_CLOSERS = ")]}>\"'`"
_OPENERS = "([{<\"'`"


@dataclass(frozen=True, slots=True)
class PromptAnchor:
    """The text around a cursor that a model saw."""

    prefix: str
    suffix: str
    from_start: bool
    """Whether the document begins with `prefix`."""
    to_end: bool
    """Whether the document ended with `suffix`."""


class OtherAnswers(Protocol):
    """Further answers to the same question, which may still continue."""

    def texts(self) -> Sequence[str]:
        """Return what they have said so far."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's complete answer for one place."""

    place: PromptAnchor
    text: str
    request_id: str
    whole: bool
    """Whether it was read to where it was enough; else it broke off while streaming."""
    truncated: bool
    """Whether it ended because of its token limit."""
    ended: bool
    """Whether nothing more was to be said: who has typed all of it need not ask again."""
    tokens: tuple[Token, ...]
    """The tokens of `text`."""
    others: OtherAnswers | None = None
    """Asked for where the engine reports no log probabilities."""

    @property
    def other_texts(self) -> Sequence[str]:
        """What further answers to the same question say."""
        return self.others.texts() if self.others is not None else ()

    @property
    def tells_confidence(self) -> bool:
        """Whether it says of each token how sure the engine was."""
        return all(token.logprob is not None for token in self.tokens)


@dataclass(frozen=True, slots=True)
class CacheHit:
    """An answer that fits, and the part of it that was typed since."""

    answer: Answer
    typed: str

    @property
    def rest(self) -> str:
        """The rest that has not been typed."""
        return self.answer.text[len(self.typed) :]

    @property
    def says_nothing(self) -> bool:
        """Whether there is nothing to say here, as far as the model knows."""
        never_did = self.answer.whole and not self.answer.text.strip()
        return never_did or (self.answer.ended and not self.rest)

    @property
    def ends_line(self) -> bool:
        """Whether the line ends here."""
        return self.rest.lstrip(" \t").startswith("\n")

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Those of the rest."""
        return tuple(behind(self.answer.tokens, len(self.typed)))


class AnswerCache:
    """The last answers about one document."""

    def __init__(self) -> None:
        self._answers: deque[Answer] = deque(maxlen=KEPT)

    def add(self, answer: Answer) -> None:
        """Keep an answer; it replaces one for the same place."""
        for older in self._answers:
            if older.place == answer.place:
                self._answers.remove(older)
                break
        self._answers.append(answer)

    def keep(self, wanted: Callable[[Answer], bool]) -> None:
        """Drop the answers that are not wanted."""
        self._answers = deque(filter(wanted, self._answers), maxlen=KEPT)

    def find(self, text: str, offset: int, *, in_line: bool = False) -> CacheHit | None:
        """Return the newest answer that fits at `offset` and has something left to say.

        An answer that tells that there is nothing to say counts, too. `in_line`: nothing behind the
        end of the line is wanted.
        """
        for answer in reversed(self._answers):
            typed = typed_since(answer.place, text, offset, len(answer.text))
            if typed is not None and answer.text.startswith(typed):
                hit = CacheHit(answer, typed)
                if hit.rest.strip() or hit.says_nothing or (in_line and hit.ends_line):
                    return hit
        return None


def typed_since(place: PromptAnchor, text: str, offset: int, most: int) -> str | None:
    """Return what was typed at `place` up to `offset`, at most `most` characters.

    It is None if the text that the model saw is not there any more.

    Brackets and quotes that an editor closed by itself are not held against it.
    """
    start = _find(place, text, offset, most)
    if start is None or not text.startswith(place.prefix, start - len(place.prefix)):
        return None
    typed = text[start:offset]
    return typed if len(typed) <= most and _follows(place, text, offset, typed) else None


def _find(place: PromptAnchor, text: str, offset: int, most: int) -> int | None:
    """Return where the place lies in `text` now."""
    if place.from_start:
        start = len(place.prefix)
        return start if start <= offset else None
    anchor = place.prefix[-_ANCHOR:]
    at = text.rfind(anchor, max(offset - most - len(anchor), 0), offset)
    start = at + len(anchor)
    return start if at >= 0 and start >= len(place.prefix) else None


def _follows(place: PromptAnchor, text: str, offset: int, typed: str) -> bool:
    """Return whether the suffix stands behind the cursor, but for what the editor closed."""
    opened = sum(character in _OPENERS for character in typed)
    for closed in range(min(opened, _MOST_CLOSERS) + 1):
        if closed and text[offset + closed - 1 : offset + closed] not in _CLOSERS:
            return False
        start = offset + closed
        ends = len(text) == start + len(place.suffix) if place.to_end else True
        if ends and text.startswith(place.suffix, start):
            return True
    return False


class Token(NamedTuple):
    """A piece of an answer."""

    text: str
    logprob: float | None = None
    """Logarithm of its probability; None where the server does not report it."""


def merged(tokens: Sequence[Token]) -> Token:
    """Return the tokens as one."""
    told = [token.logprob for token in tokens if token.logprob is not None]
    return Token("".join(token.text for token in tokens), sum(told) if told else None)


def behind(tokens: Iterable[Token], offset: int) -> Iterator[Token]:
    """Yield the tokens after this number of characters.

    The rest of a partly typed token is treated as certain (log probability 0).
    """
    for token in tokens:
        if offset >= len(token.text):
            offset -= len(token.text)
        elif offset:
            sure = None if token.logprob is None else 0.0
            yield Token(token.text[offset:], sure)
            offset = 0
        else:
            yield token
