"""One version of one document, and how places in it are counted.

Columns are in the units of the client; line ends are as the client has them, or LF as engines
have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Tree

from cato_lsp.text.lines import LineIndex


class Encoding(StrEnum):
    """Units of `Position.character`; the values are those of LSP's PositionEncodingKind."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a document: line from 0, character in units of the agreed encoding from 0."""

    line: int
    character: int


def units_of(line: str, column: int, encoding: Encoding) -> int:
    """Return how many units the first `column` characters of `line` take."""
    head = line[:column]
    if encoding is Encoding.UTF32 or head.isascii():
        return len(head)
    if encoding is Encoding.UTF16:
        return len(head.encode("utf-16-le")) // 2
    return len(head.encode())


def column_of(line: str, units: int, encoding: Encoding) -> int:
    """Return the column that lies `units` into `line`.

    Inside a character (a surrogate pair, a UTF-8 sequence) it is that character's start; past the
    end of the line it is the end.
    """
    units = max(units, 0)
    if encoding is Encoding.UTF32 or line.isascii():
        return min(units, len(line))
    if encoding is Encoding.UTF16:
        return len(_whole_utf16(line.encode("utf-16-le"), 2 * units).decode("utf-16-le"))
    return len(_whole_utf8(line.encode(), units).decode())


def _whole_utf16(line: bytes, cut: int) -> bytes:
    splits_a_pair = cut < len(line) and line[cut + 1] & 0xFC == 0xDC
    return line[: cut - 2] if splits_a_pair else line[:cut]


def _whole_utf8(line: bytes, cut: int) -> bytes:
    while cut < len(line) and line[cut] & 0xC0 == 0x80:
        cut -= 1
    return line[:cut]


def with_lf(text: str) -> str:
    """Return `text` with LF for every line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def at_lf(text: str, offset: int) -> tuple[str, int]:
    """Return the text with LF for every line end, and the same place in it."""
    return (with_lf(text), len(with_lf(text[:offset]))) if "\r" in text else (text, offset)


def length_of(wanted: str, text: str, offset: int) -> int | None:
    """Return how many characters at `offset` of a text are `wanted`; None if it is not there.

    The line ends of `wanted` are LF.
    """
    at = offset
    first, *others = wanted.split("\n")
    if not text.startswith(first, at):
        return None
    at += len(first)
    for line in others:
        end = _line_end(text, at)
        if not end or not text.startswith(line, at + end):
            return None
        at += end + len(line)
    return at - offset


def _line_end(text: str, at: int) -> int:
    if text.startswith("\r\n", at):
        return 2
    return int(text[at : at + 1] in ("\n", "\r") and at < len(text))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document at one version. It never changes, whatever is edited later."""

    uri: str
    version: int
    language_id: str
    text: str
    lines: LineIndex
    tree: Tree | None
    """The syntax tree, or None: see `no_tree_reason`. Nobody may call `edit` on it."""
    no_tree_reason: str | None
    """Why there is no tree (unknown language, too large, binary); None where there is one."""
    settled: bool
    """Whether the tree is that of this very text. If not, the parse took too long for a key: it is
    an older one whose nodes were moved along with the edits, see `Document.settle`."""

    def offset(self, position: Position, encoding: Encoding) -> int:
        """Return the offset of `position` in characters of `text`.

        Never raises: past the end of a line it is that line's end, past the last line it is the
        end of the text, inside a character it is that character's start.
        """
        return offset_in(self.text, self.lines, position, encoding)

    def position(self, offset: int, encoding: Encoding) -> Position:
        """Return the position of the character at `offset` (clamped to the text)."""
        offset = min(max(offset, 0), len(self.text))
        line = self.lines.line_at(offset)
        start = self.lines.start(line)
        end = max(self.lines.end(line, self.text), start)
        return Position(line, units_of(self.text[start:end], offset - start, encoding))

    def line(self, line: int) -> str:
        """Return the text of an existing line, without its line end."""
        return self.text[self.lines.start(line) : self.lines.end(line, self.text)]


def offset_in(text: str, lines: LineIndex, position: Position, encoding: Encoding) -> int:
    """Return the offset of a position, as `Snapshot.offset` does."""
    if position.line >= lines.count:
        return len(text)
    if position.line < 0:
        return 0
    start, end = lines.start(position.line), lines.end(position.line, text)
    return start + column_of(text[start:end], position.character, encoding)
