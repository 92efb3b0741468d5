"""The text around a cursor: lines, indentation, what follows."""

from __future__ import annotations

import re
from dataclasses import dataclass

NEARBY = 2_000
"""Characters on either side of the cursor that are looked at."""
TAB = 4

_LONE_CR = re.compile(r"\r(?!\n)")
_WIDE = TAB - 1


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
    """The text around `offset`; before it, whole lines where one starts within reach."""
    start = max(offset - NEARBY, 0)
    before, after = _with_lf(text[start:offset]), _with_lf(text[offset : offset + NEARBY])
    if start:
        before = before[before.find("\n") + 1 :]
    below = tuple(line for line in after.split("\n")[1:] if line.strip())
    return Nearby(before, after, start == 0, len(text) <= offset + NEARBY, below)


def _with_lf(text: str) -> str:
    return _LONE_CR.sub("\n", text) if "\r" in text else text


def indentation_of(line: str) -> str:
    """The leading blanks."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width_of(line: str) -> int:
    """The column where the first character that is not blank stands."""
    blanks = indentation_of(line)
    return len(blanks) + _WIDE * blanks.count("\t")


def is_word(character: str) -> bool:
    """Whether it is a letter, a digit or an underscore; false for no character."""
    return character.isalnum() or character == "_"
