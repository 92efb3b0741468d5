"""The brackets that stand open at a cursor, and which of them the text behind it closes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cato_lsp.syntax.lexicon import Lexicon
from cato_lsp.syntax.lexing import PARTNER, Bracket, lex
from cato_lsp.syntax.nearby import Nearby, width_of

_NO_CALL = re.compile(
    r"\b(if|elif|elsif|while|until|for|foreach|switch|match|case|catch|return|in|and|or|not|is"
    r"|with|using|lock|await|yield|throw|raise|assert|print)\s*$"
)
_LONGEST_KEYWORD = 12
_CALLEE_END = re.compile(r"[\w)\]>!?$]\s*$")
_CLOSERS = ")]}"
_DIRECTIVE = re.compile(r"#\s*(?:if|el|end|define|undef|include|pragma|region|error|warning|line)")


@dataclass(frozen=True, slots=True)
class Opened:
    """An open bracket, the indentation of its line, whether it opens an argument list."""

    character: str
    width: int
    call: bool
    closed: bool = True
    """Whether the text behind the cursor closes it."""


def opened_at(
    brackets: Sequence[Bracket], text: str, around: Nearby, lexicon: Lexicon
) -> tuple[Opened, ...]:
    """The brackets that `lex(text)` left open, outermost first.

    The cursor's own line is read for their closers; further down, a closer belongs to the bracket
    of its kind whose line has the same indentation. What lies beyond the nearby text is taken to
    be in order.
    """
    opened = [_opened(bracket, text) for bracket in brackets]
    here = _closed_here(opened, around, lexicon) if opened else set[int]()
    taken: Counter[int] = Counter()
    for index in reversed(range(len(opened))):
        closed = index in here or _closed_below(opened[index], around, taken)
        opened[index] = replace(opened[index], closed=closed)
    return tuple(opened)


def _opened(bracket: Bracket, text: str) -> Opened:
    line_start = text.rfind("\n", 0, bracket.offset) + 1
    head = text[line_start : bracket.offset]
    callee = head[-_LONGEST_KEYWORD:]
    call = bracket.character == "(" and bool(_CALLEE_END.search(callee))
    return Opened(bracket.character, width_of(head), call and not _NO_CALL.search(callee))


def _closed_here(opened: Sequence[Opened], around: Nearby, lexicon: Lexicon) -> set[int]:
    """The indexes of those that the cursor's own line closes, the innermost first."""
    found: set[int] = set()
    for stray in lex(around.line_after, lexicon).strays:
        partner = PARTNER[stray.character]
        left = (n for n in reversed(range(len(opened))) if n not in found)
        index = next((n for n in left if opened[n].character == partner), None)
        if index is not None:
            found.add(index)
    return found


def _closed_below(bracket: Opened, around: Nearby, taken: Counter[int]) -> bool:
    """Whether a line below does; `taken` counts the closers that others have used, by line."""
    found = first_within(around.below, bracket.width)
    if found is None:
        return not around.whole_after
    line, used = around.below[found], taken[found]
    if width_of(line) != bracket.width or PARTNER.get(leading_closers(line)[used : used + 1]) != (
        bracket.character
    ):
        return False
    taken[found] += 1
    return True


def first_within(lines: Sequence[str], width: int) -> int | None:
    """The first line that is indented no further than that; directives of a preprocessor aside,
    which stand at the margin wherever they are."""
    return next(
        (
            number
            for number, line in enumerate(lines)
            if width_of(line) <= width and not _DIRECTIVE.match(line)
        ),
        None,
    )


def leading_closers(line: str) -> str:
    """The closing brackets that the line begins with."""
    line = line.lstrip()
    return line[: len(line) - len(line.lstrip(_CLOSERS))]
