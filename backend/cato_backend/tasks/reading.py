"""Reads the answer to one call of a whole task: finds the result in it, and where it ends."""

from __future__ import annotations

import re
from enum import StrEnum

_LONGEST_PERIOD = 400
"""Characters. A longer piece that repeats itself is hardly seen within a task's limits."""
_SHORT_PERIOD = 8
"""Shorter pieces repeat themselves in good code, too: rules of dashes, tables of numbers."""
_SHORT_LENGTH, _SHORT_LENGTH_OF_WORDS = 200, 100
_LEAST_LENGTH = 60
_REPEATS = 4
_REPEATS_OF_LONG = 3
_LONG_PERIOD = 100
_FENCED = re.compile(
    r"^([ \t]*)(`{3,}|~{3,})[^\n`]*\n(.*?)(?:\n(?:\1)?\2[ \t]*(?:\n|$)|\Z)", re.S | re.M
)
"""A fence that is indented further than the first one belongs to the block."""
_COMMENT_LINE = re.compile(r"(?m)^[ \t]*(?:\*(?!\*)|#|//+|--)[ \t]?")
_OPENER = re.compile(r'^\s*(?:/\*+|"""|\'\'\')\s?')
_CLOSER = re.compile(r'\s*(?:\*+/|"""|\'\'\')\s*$')
_OPENING = re.compile(r"(?m)(\A[ \t]*|^ {0,3})(`{3,}|~{3,})[^\n`]*\n")
"""A fence that is indented further belongs to the code, unless the answer begins with it."""
_PERHAPS_CLOSING = re.compile(r"(\A|\n)\s*[`~]*[ \t]*\Z")
"""What may become the line end and the fence behind the block."""


class AnswerProblem(StrEnum):
    """Problems of answers. An empty or repeating answer is no result."""

    EMPTY = "empty"
    REPETITION = "repetition"
    CUT_OFF = "cut_off"
    """It ended at its token limit, before the end of its block."""
    NO_BLOCK = "no_block"
    """It is text where a block of code was asked for."""


class AnswerReader:
    """Reads one answer as it comes.

    `one_block`: the first fenced block of what comes is shown, if there is one, and text around it
    is dropped.
    """

    def __init__(self, *, one_block: bool = False) -> None:
        self._one_block = one_block
        self._raw = ""
        self._opening: re.Match[str] | None = None
        self._settled = 0
        """Where in `_raw` the part begins that has to be searched for a fence."""
        self._is_closed = False
        self._repeats = False
        self.text = ""
        """The answer so far; of one that repeats itself, what comes before the first repeat."""

    @property
    def is_over(self) -> bool:
        """Whether nothing that still comes is wanted."""
        return self._is_closed or self._repeats

    @property
    def problem(self) -> AnswerProblem | None:
        """The problem of the whole answer, once it has ended."""
        if self._repeats:
            return AnswerProblem.REPETITION
        return None if self.text.strip() else AnswerProblem.EMPTY

    def defect(self, finish_reason: str) -> AnswerProblem | None:
        """Return what is wrong with the block of an answer that ended for this reason."""
        if self._is_closed or not self._one_block:
            return None
        if finish_reason == "length":
            return AnswerProblem.CUT_OFF
        return None if _OPENING.search(self._raw) else AnswerProblem.NO_BLOCK

    def feed(self, text: str) -> str:
        """Take more of the answer, and return what more is to be shown."""
        if self.is_over or not text:
            return ""
        self._raw += text
        return self._show(self._visible() if self._one_block else self._raw)

    def end(self) -> str:
        """End the answer; return the text that is still to be shown."""
        if self.is_over or not self._one_block:
            return ""
        opening = self._opened()
        return self._show(self._raw[opening.end() :].rstrip() if opening else self._raw)

    def _show(self, visible: str) -> str:
        start = repetition_start(visible)
        self._repeats = start is not None
        shown, self.text = self.text, visible[:start]
        return self.text[len(shown) :]

    def _visible(self) -> str:
        """Return the block's text, as far as it can be told from the fence behind it."""
        opening = self._opened()
        if opening is None:
            return ""
        rest = self._raw[self._settled :]
        # A fence that is indented further than the first one belongs to the code.
        indent = f"[ \\t]{{0,{len(opening[1])}}}"
        closing = re.search(rf"(?m)(\A|\n){indent}{opening[2]}[ \t]*$", rest)
        self._is_closed = closing is not None
        found = closing or _PERHAPS_CLOSING.search(rest)
        end = self._settled + (found.start() if found else len(rest))
        # Before the line end that the last visible line follows, no fence can come any more.
        self._settled = max(self._settled, self._raw.rfind("\n", opening.end(), end))
        return self._raw[opening.end() : end].rstrip("\n")

    def _opened(self) -> re.Match[str] | None:
        """Return the fence before the block, once it has come."""
        if self._opening is None:
            self._opening = _OPENING.search(self._raw, self._settled)
            found = self._opening
            self._settled = found.end() if found else self._raw.rfind("\n") + 1
        return self._opening


def without_fences(text: str) -> str:
    """Return the content of the first fenced block, or the text where there is none.

    A block whose end is missing reaches to the end.
    """
    found = _FENCED.search(text)
    return found[3] if found else text


def without_own_fence(text: str) -> str:
    """Return the content of the fenced block that the text begins with, or the whole text.

    A block further on is an example.
    """
    found = _FENCED.match(text)
    return found[3] if found else text


def without_comment_marks(text: str) -> str:
    """Return the prose of a comment or docstring: without opener, closer and marks before lines."""
    inner, opened = _OPENER.subn("", text)
    lines = _CLOSER.sub("", inner).split("\n")
    # The first line follows what the prompt held of the comment, unless the answer opened its own.
    marked = [line for line in (lines if opened else lines[1:]) if line.strip()]
    if marked and all(_COMMENT_LINE.match(line) for line in marked):
        lines = [_COMMENT_LINE.sub("", line) for line in lines]
    return "\n".join(line.strip() for line in lines).strip()


def cut_at(text: str, stops: tuple[str, ...]) -> str:
    """Return the text up to the first of `stops`, for engines that know no stop strings."""
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def repetition_start(text: str) -> int | None:
    """Return where the end of the text begins to repeat itself; None where it does not.

    That is behind the first occurrence of what is repeated.
    """
    for period in range(1, min(_LONGEST_PERIOD, len(text) // _REPEATS_OF_LONG) + 1):
        if _is_periodic(text, period):
            start = _first_repeat(text, period)
            return start + period if len(text) - start >= _least_repeated(text[-period:]) else None
    return None


def _least_repeated(piece: str) -> int:
    """Return how much of the text must consist of this piece, so that it is a loop."""
    if len(piece) >= _SHORT_PERIOD:
        return _LEAST_LENGTH
    has_words = any(character.isalpha() for character in piece)
    return _SHORT_LENGTH_OF_WORDS if has_words else _SHORT_LENGTH


def _is_periodic(text: str, period: int) -> bool:
    """Return whether the end of the text repeats this many characters.

    The end is as much of the text as a loop must have.
    """
    if not text.endswith(text[-1 - period]):
        return False
    repeats = _REPEATS if period < _LONG_PERIOD else _REPEATS_OF_LONG
    length = max(_LEAST_LENGTH, repeats * period)
    return len(text) >= length and text[-length + period :] == text[-length:-period]


def _first_repeat(text: str, period: int) -> int:
    """Return where the periodic end of the text begins."""
    start = len(text) - period
    while start > 0 and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return start
