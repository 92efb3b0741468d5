"""Reads one answer for one question: what is shown of it, and when it is complete.

What is shown ends where it becomes too doubtful whether all of it is right. That is known as soon
as the doubtful token comes; behind it there is nothing to wait for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator

from cato_lsp.completion.enough import Completeness
from cato_lsp.completion.reuse import Token, merged
from cato_lsp.syntax.nearby import is_word

PART = re.compile(r"\s*(?:\w{1,5}|[^\w\s])")
"""About a token. White space is not judged by itself."""

MIN_READ_CONFIDENCE = 0.25
"""What is less likely to be right than this is not read on: to ask again once the person has typed
the doubtful place costs less than the rest, which will most likely be of no use."""

LEAST_SHOWN = 2
"""Characters of what is cut short for doubt, white space aside: less is not worth a look."""

LEAST_OF_LINE = 4
"""Characters of words in the beginning of a further line: fewer are not worth a look."""

_NEXT_LINE = re.compile(r"[ \t]*\n\s*\S[^\n]*\n")


def parts_in(text: str) -> int:
    """Return how many parts a text has."""
    return len(PART.findall(text))


class AnswerReader:
    """Reads the tokens of an answer in order."""

    def __init__(
        self,
        begin: Callable[[], Completeness],
        least_confidence: float = 0.0,
        *,
        least_read: float = MIN_READ_CONFIDENCE,
        untold: float = 0.0,
    ) -> None:
        """Create a reader; `begin` makes what reads the answer.

        `least_confidence` is the probability of being right that the shown text must have, and
        `least_read` that of what is read. `untold` is the log probability of a piece of a token
        that does not tell its own.
        """
        self._begin = begin
        self._completeness = begin()
        self._least = math.log(least_confidence) if least_confidence else -math.inf
        self._least_read = min(self._least, math.log(least_read))
        self._untold = untold
        self._logprob = self._believed = 0.0
        self._told = self._ended = False
        self._read = ""
        self._doubt_at: int | None = None
        self._most_lines: int | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing that follows can change what is shown."""
        return self._ended or self._doubt_at is not None

    @property
    def broken_off(self) -> bool:
        """Whether it was read no further because of doubt."""
        return self._least > -math.inf and self._logprob < self._least_read

    @property
    def showable(self) -> bool:
        """Whether there is a whole line to show, though there may be more to come."""
        if self.complete:
            return True
        return self._completeness.has_lines and bool(self.text(truncated=True))

    @property
    def confidence(self) -> float | None:
        """The probability that what is shown is right; None where it is not known."""
        return math.exp(self._believed) if self._told else None

    def feed(self, tokens: Iterable[Token]) -> bool:
        """Take the next tokens, and return whether the answer has been read enough.

        Where it has nothing for the cursor's line, that is after the line that comes next: the
        person will end theirs, and ask for it.
        """
        enough = False
        for token in self._merged(tokens):
            enough = self._feed(token) or enough
        return enough

    def settle_for(self, more_lines: int) -> None:
        """Limit the answer to this number of further lines: the text so far is shown."""
        self._most_lines = self._read.count("\n") + more_lines

    def text(self, *, truncated: bool = False) -> str:
        """Return what to show of what was fed so far. `truncated`: its last line is a fragment."""
        if self._doubt_at is None:
            return self._completeness.text(truncated=truncated)
        believed = self._read[: _word_end(self._read, self._doubt_at)]
        shorter = self._begin()
        shorter.feed(believed)
        text = _without_stub(shorter.text())
        return text if len(text.strip()) >= LEAST_SHOWN else ""

    def _merged(self, tokens: Iterable[Token]) -> Iterator[Token]:
        """Merge the tokens of one line, unless doubt begins between them.

        Each token that is yielded costs a look at the line so far.
        """
        run: list[Token] = []
        believed = self._logprob
        for token in tokens:
            before, believed = believed, believed + self._logprob_of(token)
            if run and ("\n" in run[-1].text or believed < self._least <= before):
                yield merged(run)
                run = []
            run.append(token)
        if run:
            yield merged(run)

    def _feed(self, token: Token) -> bool:
        self._doubt(token)
        self._read += token.text
        self._ended = self._completeness.feed(token.text) or self._ended
        if self.broken_off:
            return True
        if self._most_lines is not None and self._read.count("\n") >= self._most_lines:
            return True
        if not self._ended:
            return False
        only_ends_line = self._read.lstrip(" \t").startswith("\n") and not self.text()
        return not only_ends_line or _NEXT_LINE.match(self._read) is not None

    def _doubt(self, token: Token) -> None:
        """Decide whether what ends with the token can still be believed."""
        self._told = self._told or token.logprob is not None
        self._logprob += self._logprob_of(token)
        if self.complete:
            return
        if self._logprob < self._least:
            self._doubt_at = len(self._read)
        else:
            self._believed = self._logprob

    def _logprob_of(self, token: Token) -> float:
        if token.logprob is not None:
            return token.logprob
        return self._untold * parts_in(token.text) if self._untold else 0.0


def _without_stub(text: str) -> str:
    """Return `text` without the beginning of a last line of several that is not worth a look."""
    lines, line_end, last = text.rpartition("\n")
    is_stub = line_end and last.strip() and sum(map(is_word, last)) < LEAST_OF_LINE
    return lines.rstrip() if is_stub else text


def _word_end(text: str, offset: int) -> int:
    """Return the last place up to `offset` that does not split a word."""
    while offset and is_word(text[offset - 1]) and is_word(text[offset : offset + 1]):
        offset -= 1
    return offset
