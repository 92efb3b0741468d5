"""Definitions in text without a tree: by their first line, and by indentation or braces."""

from __future__ import annotations

import re
from types import MappingProxyType

from cato_lsp.syntax.lexing import lex, lexicon_of
from cato_lsp.syntax.nearby import width_of
from cato_lsp.syntax.scopes import Scope
from cato_lsp.text.snapshot import Snapshot

LONGEST_BLOCK = 2_000
"""Lines that are looked at in either direction."""

_FUNCTION = r"def|defp|function|func|fun|fn|sub|proc|procedure|method|macro"
_CLASS = r"class|struct|interface|trait|impl|module|object|enum|protocol|record"
_HEADER = re.compile(
    rf"\s*(?:[a-z]+\s+){{0,4}}?(?:(?P<function>{_FUNCTION})|(?P<class>{_CLASS}))\s+"
    r"(?:<[^>]*>\s*)?(?P<name>[\w.:]+)"
    r"|\s*(?:local\s+)?(?P<assigned>[\w.:]+)\s*=\s*function\b"
)
_END = re.compile(r"\s*(?:[)\]}]|end\b)")
_ONE_LINE = MappingProxyType(
    {
        "kotlin": re.compile(r".*[^\s{(\[,=]\s*$"),
        "lua": re.compile(r".*\bend\s*$"),
    }
)
"""How a definition ends that has no further line."""
_ABOVE = re.compile(r"\s*(?:@\w|#(?!!)|//|/\*|\*|--)")
"""A line of a comment, or an annotation, as it stands above a definition."""


def block_at(snapshot: Snapshot, offset: int) -> Scope | None:
    """Return the innermost block around `offset` whose first line looks like a definition.

    A function is preferred to a class inside of it.
    """
    line = _behind_comments(snapshot, snapshot.lines.line_at(offset))
    found: Scope | None = None
    for header in range(line, max(line - LONGEST_BLOCK, -1), -1):
        match = _HEADER.match(snapshot.line(header))
        if match is None:
            continue
        last = _last_line(snapshot, header)
        if last < line or (last == header and not _is_one_line(snapshot, header)):
            continue
        kind = "class" if match["class"] else "function"
        name = match["name"] or match["assigned"]
        scope = _block_scope(snapshot, name, kind, _first_line(snapshot, header), last)
        if kind == "function":
            return scope
        found = found or scope
    return found


def _behind_comments(snapshot: Snapshot, line: int) -> int:
    """Return the line of the definition below the comment or annotation on this line.

    That is the line itself if nothing is defined below.
    """
    below, end = line, min(line + LONGEST_BLOCK, snapshot.lines.count)
    while below + 1 < end and _ABOVE.match(snapshot.line(below)):
        below += 1
    return below if _HEADER.match(snapshot.line(below)) else line


def _first_line(snapshot: Snapshot, header: int) -> int:
    """Return the first of the comments and annotations directly above the header."""
    first, end = header, max(header - LONGEST_BLOCK, 0)
    while first > end and _ABOVE.match(snapshot.line(first - 1)):
        first -= 1
    return first


def _is_one_line(snapshot: Snapshot, header: int) -> bool:
    """Return whether the definition ends on the line on which it begins."""
    pattern = _ONE_LINE.get(snapshot.language_id)
    return pattern is not None and pattern.match(snapshot.line(header)) is not None


def _block_scope(snapshot: Snapshot, name: str, kind: str, first: int, last: int) -> Scope:
    start, end = snapshot.lines.start(first), snapshot.lines.end(last, snapshot.text)
    return Scope(name, kind, start, end)


def _last_line(snapshot: Snapshot, header: int) -> int:
    """Return the line of the closing brace, else the last one indented further than the header."""
    lexicon = lexicon_of(snapshot.language_id)
    width = width_of(snapshot.line(header))
    braced = any(b.character == "{" for b in lex(snapshot.line(header), lexicon).opened)
    last = header
    for number in range(header + 1, min(header + LONGEST_BLOCK, snapshot.lines.count)):
        line = snapshot.line(number)
        if not line.strip():
            continue
        if width_of(line) <= width:
            closes = (braced or width_of(line) == width) and _END.match(line)
            # Its body begins only here: behind parameters of several lines, or on a line alone.
            opened = [bracket.character for bracket in lex(line, lexicon).opened]
            if not braced and opened[-1:] == ["{"] and (closes or line.strip() == "{"):
                braced = True
                continue
            return number if closes else last
        last = number
    return last
