"""Definitions told by text alone, for languages without a grammar."""

from __future__ import annotations

import re

from cato_lsp.syntax.lexicon import lexicon_of
from cato_lsp.syntax.lexing import lex
from cato_lsp.syntax.nearby import width_of
from cato_lsp.syntax.scopes import Scope
from cato_lsp.text.snapshot import Snapshot

LONGEST_BLOCK = 2_000
"""Lines that are looked at in either direction."""

_FUNCTION = r"def|defp|function|func|fun|fn|sub|proc|procedure|method|macro"
_CLASS = r"class|struct|interface|trait|impl|module|object|enum|protocol|record"
_HEADER = re.compile(
    rf"\s*(?:[a-z]+\s+){{0,4}}?(?:(?P<function>{_FUNCTION})|(?P<class>{_CLASS}))\s+(?P<name>[\w.:]+)"
)
_END = re.compile(r"\s*(?:[)\]}]|end\b)")


def block_at(snapshot: Snapshot, offset: int) -> Scope | None:
    """The innermost block around `offset` whose first line looks like that of a definition.

    A function is preferred to a class inside of it.
    """
    line = snapshot.lines.line_at(offset)
    found: Scope | None = None
    for header in range(line, max(line - LONGEST_BLOCK, -1), -1):
        match = _HEADER.match(snapshot.line(header))
        if match is None:
            continue
        last = _last_line(snapshot, header)
        if last < line or last == header:
            continue
        kind = "function" if match["function"] else "class"
        scope = _scope(snapshot, match["name"], kind, header, last)
        if kind == "function":
            return scope
        found = found or scope
    return found


def _scope(snapshot: Snapshot, name: str, kind: str, first: int, last: int) -> Scope:
    start, end = snapshot.lines.start(first), snapshot.lines.end(last, snapshot.text)
    return Scope(name, kind, start, end)


def _last_line(snapshot: Snapshot, header: int) -> int:
    """The line of the closing brace, else the last one that is indented by more than the header."""
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
            opens = not braced and line.strip() == "{"
            if opens:
                braced = True
                continue
            return number if closes else last
        last = number
    return last
