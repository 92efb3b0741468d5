"""A summary as the documentation of its unit: a docstring, or a comment above it."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from types import MappingProxyType

from cato_lsp.syntax.nearby import indentation_of
from cato_lsp.syntax.units import Unit
from cato_lsp.text.snapshot import Snapshot

_WIDTH = 88
_LEAST_WIDTH = 40
_TAB_WIDTH = 4
_KEPT_LINE = re.compile(r"\s*(?:[-*+>#|]|\d+[.)]|```|$)|\s{4}")
"""Lines of Markdown that are not filled."""

_BLOCK_COMMENT = r"[ \t]*/\*\*(?!/)(?s:.*?)\*/[ \t]*\r?\n?"
_SLASHES = r"(?:[ \t]*///(?!/)[^\n]*\n)+"
_LUA_DIRECTIVE = r"[ \t]*---[ \t]*@diagnostic\b[^\n]*\n"
_DASHES = rf"(?:(?!{_LUA_DIRECTIVE})[ \t]*---(?!-)[^\n]*\n)+"
_GO_LINES = r"(?:[ \t]*//(?:[ \t][^\n]*|\r?)\n)+"
"""`//go:noinline` and other directives have no blank behind the slashes."""
_SETTINGS = r"(?:frozen_string_literal|(?:en)?coding|typed|warn_indent|rubocop)[ \t]*:"
_DIRECTIVE = rf"[ \t]*#(?:!|[ \t]*(?:-\*-|shellcheck[ \t]|{_SETTINGS}))[^\n]*\n"
_HASHES = rf"(?:(?!{_DIRECTIVE})[ \t]*#[^\n]*\n)+"
_LEADING = MappingProxyType(
    {
        "go": r"(?:[ \t]*//\S[^\n]*\n)*",
        # Without documentation below them they may be about the very next line.
        "lua": rf"(?:(?:{_LUA_DIRECTIVE})+(?={_DASHES}))?",
        "ruby": rf"(?:{_DIRECTIVE})*",
        "shellscript": rf"(?:{_DIRECTIVE})*",
    }
)
"""Lines for tools and systems, which stay above the documentation."""
_PLAIN_LINES = r"(?:[ \t]*//(?!/)[^\n]*\n)*"
_PLAIN_DASHES = r"(?:[ \t]*--(?!-(?!-))[^\n]*\n)*"
"""Comments that are no documentation, which may stand above it."""
_OLD = MappingProxyType(
    {
        "go": _GO_LINES,
        "lua": _DASHES,
        "ruby": _HASHES,
        "shellscript": _HASHES,
        **dict.fromkeys(
            ("c", "cpp", "csharp", "dart", "objective-c", "rust", "swift"),
            rf"(?:{_SLASHES}|{_BLOCK_COMMENT})",
        ),
    }
)
"""How documentation is written; in other languages, as a block."""


@dataclass(frozen=True, slots=True)
class _Comment:
    """The syntax of a comment over several lines."""

    opening: str
    line: str
    closing: str


_BLOCK = _Comment("/**", " * ", " */")
_LINES = MappingProxyType(
    {
        "csharp": _Comment("", "/// ", ""),
        "go": _Comment("", "// ", ""),
        "lua": _Comment("", "--- ", ""),
        "ruby": _Comment("", "# ", ""),
        "rust": _Comment("", "/// ", ""),
        "shellscript": _Comment("", "# ", ""),
    }
)
_BLOCKS = frozenset(
    {
        *("c", "cpp", "dart", "java", "javascript", "javascriptreact", "kotlin", "objective-c"),
        *("php", "scala", "swift", "typescript", "typescriptreact"),
    }
)


@dataclass(frozen=True, slots=True)
class Insertion:
    """`text` takes the place of the characters from `start` to `end` of the document."""

    start: int
    end: int
    text: str


def documentation(snapshot: Snapshot, unit: Unit, summary: str) -> Insertion | None:
    """Return the edit that makes `summary` the documentation of the unit, with LF.

    An existing docstring or documentation comment is replaced. None where the language has no
    usual place for it, and where other code stands before the unit on its line.
    """
    if unit.docstring is not None:
        return _docstring(snapshot, *unit.docstring, summary)
    style = _LINES.get(snapshot.language_id)
    if style is None and snapshot.language_id in _BLOCKS:
        style = _BLOCK
    place = None if style is None else _place(snapshot, unit)
    return None if style is None or place is None else _above(place, summary, style)


def _docstring(snapshot: Snapshot, start: int, end: int, summary: str) -> Insertion:
    indentation = _indentation(snapshot, start)
    escaped = summary.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines = _filled(escaped, indentation, reserved=3)
    if len(lines) == 1 and not lines[0].endswith('"'):
        text = f'"""{lines[0]}"""'
    else:
        text = f"\n{indentation}".join([f'"""{lines[0]}', *lines[1:], '"""'])
    if start == end:
        text += f"\n{indentation}"
    return Insertion(start, end, _without_trailing_blanks(text, kept=start == end))


def _above(place: _Place, summary: str, style: _Comment) -> Insertion:
    indentation = place.indentation
    lines = _filled(summary.replace("*/", "* /"), indentation, reserved=len(style.line))
    written = [style.opening, *(f"{style.line}{line}".rstrip() for line in lines), style.closing]
    text = "".join(f"{indentation}{line}\n" for line in written if line)
    return Insertion(place.start, place.end, text + place.rest)


def _indentation(snapshot: Snapshot, offset: int) -> str:
    return indentation_of(snapshot.line(snapshot.lines.line_at(offset)))


def _filled(summary: str, indentation: str, reserved: int) -> list[str]:
    """Return the lines of `summary`, none longer than fits; lists and code stay as they are."""
    room = _WIDTH - len(indentation.expandtabs(_TAB_WIDTH)) - reserved
    width = max(room, _LEAST_WIDTH)
    return [piece for line in summary.strip().splitlines() for piece in _pieces(line, width)]


def _pieces(line: str, width: int) -> list[str]:
    line = line.rstrip()
    if _KEPT_LINE.match(line) and not line.lstrip().startswith(("-", "*", "+")):
        return [line]
    hanging = " " * (len(line) - len(line.lstrip("-*+ ")))
    return textwrap.wrap(line, width, subsequent_indent=hanging, break_long_words=False) or [""]


def _without_trailing_blanks(text: str, *, kept: bool) -> str:
    """Strip the lines of trailing blanks.

    `kept`: the last line holds the indentation of what follows.
    """
    *lines, last = text.split("\n")
    return "\n".join([*(line.rstrip() for line in lines), last if kept else last.rstrip()])


@dataclass(frozen=True, slots=True)
class _Place:
    """The lines that a documentation comment takes the place of; none where there is no old one.

    `rest`: what has to follow the comment's last line end, where code stands behind the old one.
    """

    start: int
    end: int
    indentation: str
    rest: str = ""


def _place(snapshot: Snapshot, unit: Unit) -> _Place | None:
    """Return the place in front of the unit; None if its line begins with other code."""
    text = snapshot.text
    line_start = snapshot.lines.start(snapshot.lines.line_at(unit.start))
    if text[line_start : unit.start].strip():
        return None
    language = snapshot.language_id
    start = _behind(_LEADING.get(language, ""), text, line_start, unit.end)
    indentation = indentation_of(snapshot.line(snapshot.lines.line_at(start)))
    if language == "lua":
        # Its documentation is taken for that of the very next line.
        start = _behind(_PLAIN_DASHES, text, start, unit.end)
    comment = start if language in _LEADING else _behind(_PLAIN_LINES, text, start, unit.end)
    end = _behind(_OLD.get(language, _BLOCK_COMMENT), text, comment, unit.end)
    if end == comment:
        return _Place(start, start, indentation)
    return _Place(comment, end, indentation, "" if text[end - 1] == "\n" else indentation)


def _behind(pattern: str, text: str, start: int, end: int) -> int:
    """Return the end of what matches at `start`; `start` itself if nothing does."""
    match = re.compile(pattern).match(text, start, end)
    return start if match is None else match.end()
