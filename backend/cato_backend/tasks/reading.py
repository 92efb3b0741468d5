"""Reads the answer to one call of a whole task as it comes: what of it is shown, and its end."""

from __future__ import annotations

import re
from enum import StrEnum

from cato_backend.tasks.repetition import repetition_start

_OPENING = re.compile(r"(?m)(\A[ \t]*|^ {0,3})(`{3,}|~{3,})[^\n`]*\n")
"""A fence that is indented further belongs to the code, unless the answer begins with it."""
_PERHAPS_CLOSING = re.compile(r"(\A|\n)\s*[`~]*[ \t]*\Z")
"""What may become the line end and the fence behind the block."""


class AnswerProblem(StrEnum):
    """What is wrong with an answer. One that is empty or repeats itself is no result at all."""

    EMPTY = "empty"
    REPETITION = "repetition"
    CUT_OFF = "cut_off"
    """It ended at its token limit, before the end of its block."""
    NO_BLOCK = "no_block"
    """It is text where a block of code was asked for."""


class AnswerReader:
    """One answer. `one_block`: the first fenced block of what comes is shown, if there is one, and
    text around it is dropped."""

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
        """What is wrong with the answer as a whole, once it has ended."""
        if self._repeats:
            return AnswerProblem.REPETITION
        return None if self.text.strip() else AnswerProblem.EMPTY

    def defect(self, finish_reason: str) -> AnswerProblem | None:
        """Returns what is wrong with the block of an answer that ended for this reason."""
        if self._is_closed or not self._one_block:
            return None
        if finish_reason == "length":
            return AnswerProblem.CUT_OFF
        return None if _OPENING.search(self._raw) else AnswerProblem.NO_BLOCK

    def feed(self, text: str) -> str:
        """Takes more of the answer, and returns what more is to be shown."""
        if self.is_over or not text:
            return ""
        self._raw += text
        return self._show(self._visible() if self._one_block else self._raw)

    def end(self) -> str:
        """Nothing more comes: returns what is still to be shown."""
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
        """The block's text, as far as it can be told from the fence behind it."""
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
        """The fence before the block, once it has come."""
        if self._opening is None:
            self._opening = _OPENING.search(self._raw, self._settled)
            found = self._opening
            self._settled = found.end() if found else self._raw.rfind("\n") + 1
        return self._opening
