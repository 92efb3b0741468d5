"""Reads the answer to one call of a whole task as it comes: what of it is shown, and its end."""

from __future__ import annotations

import re
from enum import StrEnum

from cato_backend.tasks.repetition import repetition_start

_OPENING = re.compile(r"(?m)^[ \t]*(`{3,}|~{3,})[^\n`]*\n")
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
        opening = _OPENING.search(self._raw)
        return self._show(self._raw[opening.end() :].rstrip() if opening else self._raw)

    def _show(self, visible: str) -> str:
        start = repetition_start(visible)
        self._repeats = start is not None
        shown, self.text = self.text, visible[:start]
        return self.text[len(shown) :]

    def _visible(self) -> str:
        """The block's text, as far as it can be told from the fence behind it."""
        opening = _OPENING.search(self._raw)
        if opening is None:
            return ""
        block = self._raw[opening.end() :]
        closing = re.search(rf"(?m)(\A|\n)[ \t]*{opening[1]}[ \t]*$", block)
        self._is_closed = closing is not None
        end = closing or _PERHAPS_CLOSING.search(block)
        return (block[: end.start()] if end else block).rstrip("\n")
