"""One version of one document, for as long as a request needs it."""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Tree

from cato_lsp.text.lines import LineIndex
from cato_lsp.text.positions import Encoding, Position, column_of, units_of


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
        """The offset of `position` in characters of `text`.

        Never raises: past the end of a line it is that line's end, past the last line it is the
        end of the text, inside a character it is that character's start.
        """
        return offset_in(self.text, self.lines, position, encoding)

    def position(self, offset: int, encoding: Encoding) -> Position:
        """The position of the character at `offset` (clamped to the text)."""
        offset = min(max(offset, 0), len(self.text))
        line = self.lines.line_at(offset)
        start = self.lines.start(line)
        end = max(self.lines.end(line, self.text), start)
        return Position(line, units_of(self.text[start:end], offset - start, encoding))

    def line(self, line: int) -> str:
        """The text of an existing line, without its line end."""
        return self.text[self.lines.start(line) : self.lines.end(line, self.text)]


def offset_in(text: str, lines: LineIndex, position: Position, encoding: Encoding) -> int:
    """See Snapshot.offset."""
    if position.line >= lines.count:
        return len(text)
    if position.line < 0:
        return 0
    start, end = lines.start(position.line), lines.end(position.line, text)
    return start + column_of(text[start:end], position.character, encoding)
