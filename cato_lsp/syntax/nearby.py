"""The text around a cursor: its lines, their indentation, and the brackets that stand open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cato_lsp.syntax.lexing import PARTNER, Bracket, Lexicon, lex

NEARBY = 2_000
"""Characters on either side of the cursor that are looked at."""
TAB = 4

_LONE_CR = re.compile(r"\r(?!\n)")
_WIDE = TAB - 1

_NO_CALL = re.compile(
    r"\b(if|elif|elsif|while|until|for|foreach|switch|match|case|catch|return|in|and|or|not|is"
    r"|with|using|lock|await|yield|throw|raise|assert|print)\s*$"
)
_LONGEST_KEYWORD = 12
_CALLEE_END = re.compile(r"[\w)\]>!?$]\s*$")
_CLOSERS = ")]}"
_UNKNOWN = 1 << 30
"""The indentation of a bracket beyond the nearby text: no closer is known not to be its own."""
_DIRECTIVE = re.compile(r"#\s*(?:if|el|end|define|undef|include|pragma|region|error|warning|line)")


@dataclass(frozen=True, slots=True)
class Nearby:
    """At most NEARBY characters before and after a cursor, with LF for a lone CR."""

    before: str
    after: str
    whole_before: bool
    """Whether the text begins where `before` begins."""
    whole_after: bool
    """Whether the text ends where `after` ends."""
    below: tuple[str, ...]
    """The lines after the cursor's line that are not blank."""

    @property
    def line_before(self) -> str:
        """The cursor's line up to the cursor."""
        return self.before[self.before.rfind("\n") + 1 :]

    @property
    def line_after(self) -> str:
        """The cursor's line from the cursor."""
        line, line_end, _ = self.after.partition("\n")
        return line.removesuffix("\r") if line_end else line


def nearby(text: str, offset: int) -> Nearby:
    """Return the text around `offset`; before it, whole lines if one starts within reach."""
    start = max(offset - NEARBY, 0)
    before, after = _with_lf(text[start:offset]), _with_lf(text[offset : offset + NEARBY])
    if start:
        before = before[before.find("\n") + 1 :]
    below = tuple(line for line in after.split("\n")[1:] if line.strip())
    return Nearby(before, after, start == 0, len(text) <= offset + NEARBY, below)


def _with_lf(text: str) -> str:
    return _LONE_CR.sub("\n", text) if "\r" in text else text


def indentation_of(line: str) -> str:
    """Return the leading blanks."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width_of(line: str) -> int:
    """Return the column where the first character that is not blank stands."""
    blanks = indentation_of(line)
    return len(blanks) + _WIDE * blanks.count("\t")


def is_word(character: str) -> bool:
    """Return whether the text is a letter, a digit or an underscore; False if it is empty."""
    return character.isalnum() or character == "_"


@dataclass(frozen=True, slots=True)
class Opened:
    """An open bracket, the indentation of its line, whether it opens an argument list."""

    character: str
    width: int
    call: bool
    hanging: bool
    """Whether nothing follows it on its line."""
    closed: bool = True
    """Whether the text behind the cursor closes it."""


def opened_at(brackets: Sequence[Bracket], around: Nearby, lexicon: Lexicon) -> tuple[Opened, ...]:
    """Return the brackets of the nearby text that are open at the cursor, outermost first.

    The text behind the cursor closes the outer ones, the completion those that are left. What lies
    beyond the nearby text is taken to be in order.
    """
    opened = [_opened(bracket, around.before) for bracket in brackets]
    closed = _closed_below(opened, around)
    left = lex(around.line_after, lexicon).strays if not all(closed) else ()
    for stray in reversed(left):
        partners = (
            index
            for index, bracket in enumerate(opened)
            if not closed[index] and bracket.character == PARTNER[stray.character]
        )
        index = next(partners, None)
        if index is not None:
            closed[index] = True
    return tuple(replace(b, closed=c) for b, c in zip(opened, closed, strict=True))


def _opened(bracket: Bracket, text: str) -> Opened:
    line_start = text.rfind("\n", 0, bracket.offset) + 1
    head = text[line_start : bracket.offset]
    callee = head[-_LONGEST_KEYWORD:]
    call = bracket.character == "(" and bool(_CALLEE_END.search(callee))
    line, _, _ = text[bracket.offset + 1 :].partition("\n")
    return Opened(
        character=bracket.character,
        width=width_of(head),
        call=call and not _NO_CALL.search(callee),
        hanging=not line.strip(),
    )


def _closed_below(opened: Sequence[Opened], around: Nearby) -> list[bool]:
    """Return which of them lines below the cursor's close, told by their indentation."""
    closed = [False] * len(opened)
    start, left = 0, ""
    outermost = -1 if around.whole_before else _UNKNOWN
    for index in reversed(range(len(opened))):
        bracket, outer = opened[index], opened[index - 1].width if index else outermost
        if PARTNER.get(left[:1]) == bracket.character:
            # `})`: on the line that closed the bracket inside.
            closed[index], left = True, left[1:]
            continue
        found = first_within(around.below[start:], bracket.width)
        if found is None:
            # A list of thousands of characters begins on a line of its own.
            closed[index] = not around.whole_after and (bracket.hanging or bracket.character == "{")
            continue
        line = around.below[start + found]
        closers = leading_closers(line)
        closed[index] = PARTNER.get(closers[:1]) == bracket.character and (
            # A header of several lines may be indented by more than what closes its block.
            width_of(line) == bracket.width or width_of(line) > outer
        )
        if closed[index]:
            start, left = start + found + 1, closers[1:]
        elif _is_around(bracket, opened[index + 1 : index + 2]):
            _close_outer(index, closed, around, start, bracket)
    return closed


def _is_around(bracket: Opened, inside: Sequence[Opened]) -> bool:
    """Return whether the bracket holds one of the same indentation, as a namespace does a class."""
    braces = [bracket.character, *(held.character for held in inside)] == ["{", "{"]
    return braces and inside[0].width == bracket.width


def _close_outer(
    index: int, closed: list[bool], around: Nearby, start: int, bracket: Opened
) -> None:
    """Decide whether a closer belongs to an outer bracket or to the one inside of it.

    Other lines of its indentation may stand before the closer of an outer bracket. If there is only
    the closer of the bracket inside, it is the outer one's: the completion closes the inner.
    """
    if _is_closed_later(around.below[start:], bracket) or not around.whole_after:
        closed[index] = True
    elif closed[index + 1]:
        closed[index], closed[index + 1] = True, False


def _is_closed_later(lines: Sequence[str], bracket: Opened) -> bool:
    depth = 0
    for line in lines:
        if width_of(line) < bracket.width and not _DIRECTIVE.match(line):
            return False
        if width_of(line) != bracket.width:
            continue
        if PARTNER.get(leading_closers(line)[:1]) == bracket.character:
            depth -= 1
        if depth < 0:
            return True
        depth += line.rstrip().endswith(bracket.character)
    return False


def first_within(lines: Sequence[str], width: int) -> int | None:
    """Return the first line that is indented no further than `width`.

    Directives of a preprocessor do not count: they stand at the margin wherever they are.
    """
    return next(
        (
            number
            for number, line in enumerate(lines)
            if width_of(line) <= width and not _DIRECTIVE.match(line)
        ),
        None,
    )


def leading_closers(line: str) -> str:
    """Return the closing brackets that the line begins with."""
    line = line.lstrip()
    return line[: len(line) - len(line.lstrip(_CLOSERS))]
