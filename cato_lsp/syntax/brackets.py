"""The brackets that stand open at a cursor, and which of them the text behind it closes."""

from __future__ import annotations

import re
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
    here = len(lex(around.line_after, lexicon).strays) if opened else 0
    if len(opened) <= here:
        return 0
    lines = around.lines_after()
    spare = {n: _leading_closers(line) for n, line in enumerate(lines)}
    widths = [width_of(line) for line in lines]
    missing = 0
    for bracket in list(reversed(opened))[here:]:
        found = next((n for n, width in enumerate(widths) if width <= bracket.width), None)
        if found is None:
            missing += around.whole_after
        elif widths[found] == bracket.width and spare[found] > 0:
            spare[found] -= 1
        else:
            missing += 1
    return missing


def _leading_closers(line: str) -> int:
    line = line.lstrip()
    return len(line) - len(line.lstrip(")]}"))
