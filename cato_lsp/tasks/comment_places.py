"""Where the documentation comment of a unit belongs, and which one is there already."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from cato_lsp.syntax.nearby import indentation_of
from cato_lsp.syntax.units import Unit
from cato_lsp.text.snapshot import Snapshot

_BLOCK = r"[ \t]*/\*\*(?!/)(?s:.*?)\*/[ \t]*\r?\n?"
_SLASHES = r"(?:[ \t]*///(?!/)[^\n]*\n)+"
_DASHES = r"(?:[ \t]*---[^\n]*\n)+"
_GO_LINES = r"(?:[ \t]*//(?:[ \t][^\n]*|\r?)\n)+"
"""`//go:noinline` and other directives have no blank behind the slashes."""
_SETTINGS = r"(?:frozen_string_literal|(?:en)?coding|typed|warn_indent|rubocop)[ \t]*:"
_DIRECTIVE = rf"[ \t]*#(?:!|[ \t]*(?:-\*-|shellcheck[ \t]|{_SETTINGS}))[^\n]*\n"
_HASHES = rf"(?:(?!{_DIRECTIVE})[ \t]*#[^\n]*\n)+"
_LEADING = MappingProxyType(
    {
        "go": r"(?:[ \t]*//\S[^\n]*\n)*",
        "ruby": rf"(?:{_DIRECTIVE})*",
        "shellscript": rf"(?:{_DIRECTIVE})*",
    }
)
"""Lines for tools and systems, which stay above the documentation."""
_PLAIN_LINES = r"(?:[ \t]*//(?!/)[^\n]*\n)*"
"""Comments that are no documentation, which may stand above it."""
_OLD = MappingProxyType(
    {
        "go": _GO_LINES,
        "lua": _DASHES,
        "ruby": _HASHES,
        "shellscript": _HASHES,
        **dict.fromkeys(
            ("c", "cpp", "csharp", "dart", "objective-c", "rust", "swift"),
            rf"(?:{_SLASHES}|{_BLOCK})",
        ),
    }
)
"""How documentation is written; in other languages, as a block."""


@dataclass(frozen=True, slots=True)
class CommentPlace:
    """The lines that a documentation comment takes the place of; none where there is no old one.

    `rest`: what has to follow the comment's last line end, where code stands behind the old one.
    """

    start: int
    end: int
    indentation: str
    rest: str = ""


def comment_place(snapshot: Snapshot, unit: Unit) -> CommentPlace | None:
    """Returns the place in front of the unit; None where its line begins with other code."""
    text = snapshot.text
    line_start = snapshot.lines.start(snapshot.lines.line_at(unit.start))
    if text[line_start : unit.start].strip():
        return None
    language = snapshot.language_id
    start = _behind(_LEADING.get(language, ""), text, line_start, unit.end)
    indentation = indentation_of(snapshot.line(snapshot.lines.line_at(start)))
    comment = start if language in _LEADING else _behind(_PLAIN_LINES, text, start, unit.end)
    end = _behind(_OLD.get(language, _BLOCK), text, comment, unit.end)
    if end == comment:
        return CommentPlace(start, start, indentation)
    return CommentPlace(comment, end, indentation, "" if text[end - 1] == "\n" else indentation)


def _behind(pattern: str, text: str, start: int, end: int) -> int:
    """The end of what matches at `start`; `start` itself where nothing does."""
    match = re.compile(pattern).match(text, start, end)
    return start if match is None else match.end()
