"""Splitting a unit that is longer than the model's context, where a statement begins."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import accumulate

_CONTINUES = re.compile(
    r"\s*(?:[)\]}.,:;?|&+*/=<>-]|(?:else|elif|except|finally|catch|case|default|and|or|end)\b)"
)
"""How a line begins that belongs to the statement above it."""
_CONTINUED = re.compile(r"(?:[(\[{,\\=|&+*/<-]|=>)\s*$")
"""How a line ends whose statement goes on below it."""
_LEAST_SHARE = 0.4
"""Of the room that a piece fills, unless no statement begins behind it."""


def pieces(text: str, most: int, breaks: Collection[int] = ()) -> tuple[str, ...]:
    """Returns the text in pieces of at most `most` characters, each from the beginning of a
    statement on; together they are the text.

    `breaks`: the lines, counted from 0, at which statements begin, where a parser told them. Lines
    with less indentation are preferred. A line or a statement that is longer than `most` is a
    longer piece.
    """
    lines = text.splitlines(keepends=True)
    allowed = _allowed(lines, breaks)
    ends = [0, *accumulate(map(len, lines))]
    found: list[str] = []
    start = 0
    while start < len(lines):
        stop = _stop(lines, ends, start, most, allowed)
        found.append(text[ends[start] : ends[stop]])
        start = stop
    return tuple(found)


def _stop(
    lines: Sequence[str], ends: Sequence[int], start: int, most: int, allowed: Sequence[int]
) -> int:
    """The line behind the piece that begins with line `start`."""
    if ends[-1] - ends[start] <= most:
        return len(lines)
    later = [line for line in allowed if line > start]
    fitting = [line for line in later if ends[line] - ends[start] <= most]
    if not fitting:
        return later[0] if later else len(lines)
    full = [line for line in fitting if ends[line] - ends[start] >= _LEAST_SHARE * most]
    # The last of those that are indented least: a boundary between two parts of the unit.
    return min(full or fitting[-1:], key=lambda line: (_indentation(lines[line]), -line))


def _allowed(lines: Sequence[str], breaks: Collection[int]) -> list[int]:
    if breaks:
        return sorted(line for line in set(breaks) if 0 < line < len(lines))
    return [line for line in range(1, len(lines)) if _begins_statement(lines, line)]


def _begins_statement(lines: Sequence[str], line: int) -> bool:
    here, above = lines[line], lines[line - 1]
    if not here.strip() or _CONTINUES.match(here):
        return False
    return not above.strip() or _CONTINUED.search(above) is None


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
