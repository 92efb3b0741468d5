"""The brackets that stand open at a cursor, and which of them the text behind it closes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cato_lsp.syntax.lexicon import Lexicon
from cato_lsp.syntax.lexing import Bracket, lex
from cato_lsp.syntax.nearby import Nearby, width_of

_NO_CALL = re.compile(
    r"\b(if|elif|elsif|while|until|for|foreach|switch|match|case|catch|return|in|and|or|not|is"
    r"|with|using|lock|await|yield|throw|raise|assert|print)\s*$"
)
_LONGEST_KEYWORD = 12
_CALLEE_END = re.compile(r"[\w)\]>!?$]\s*$")


@dataclass(frozen=True, slots=True)
class Opened:
    """An open bracket, the indentation of its line, whether it opens an argument list."""

    character: str
    width: int
    call: bool


def opened_at(brackets: Sequence[Bracket], text: str) -> tuple[Opened, ...]:
    """The brackets that `lex(text)` left open, outermost first."""
    return tuple(_opened(bracket, text) for bracket in brackets)


def _opened(bracket: Bracket, text: str) -> Opened:
    line_start = text.rfind("\n", 0, bracket.offset) + 1
    head = text[line_start : bracket.offset]
    callee = head[-_LONGEST_KEYWORD:]
    call = bracket.character == "(" and bool(_CALLEE_END.search(callee))
    return Opened(bracket.character, width_of(head), call and not _NO_CALL.search(callee))


def unclosed(opened: Sequence[Opened], around: Nearby, lexicon: Lexicon) -> int:
    """How many of `opened` nothing behind the cursor closes.

    The cursor's own line is read; further down, a closer belongs to the bracket whose line has the
    same indentation. What lies beyond the nearby text is taken to be in order.
    """
    if not opened:
        return 0
    here = len(lex(around.line_after, lexicon).strays)
    taken: Counter[int] = Counter()
    missing = 0
    for bracket in list(reversed(opened))[here:]:
        found = _first_within(around.below, bracket.width)
        if found is None:
            missing += around.whole_after
        elif _closes(around.below[found], bracket.width, taken[found]):
            taken[found] += 1
        else:
            missing += 1
    return missing


def _first_within(lines: Sequence[str], width: int) -> int | None:
    """The first line that is indented no further than that."""
    return next((n for n, line in enumerate(lines) if width_of(line) <= width), None)


def _closes(line: str, width: int, taken: int) -> bool:
    """Whether the line begins with one more closer, at just that width."""
    return width_of(line) == width and _leading_closers(line) > taken


def _leading_closers(line: str) -> int:
    line = line.lstrip()
    return len(line) - len(line.lstrip(")]}"))
