"""The starts of the lines of a text, updated by edits without a scan of the whole text.

The lines lie in blocks, and a block knows how many characters and UTF-8 bytes it holds.
An edit scans the blocks that it touches and sums up the counts of all: about 80 of them for
20,000 lines. Nothing is changed in place, so that older snapshots keep their own index.

A line ends after LF, CRLF or CR, as LSP has it. tree-sitter knows LF and CRLF only, so that it is
given LF for a lone CR: its rows are our lines.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

LINES_PER_BLOCK = 256
SMALL = 64

_LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class _Block:
    """Some consecutive whole lines; only the last block of a text may end without a line end."""

    starts: tuple[int, ...]
    """The start of each line, in characters from the block's start."""
    characters: int
    bytes: int

    def stretched(self, at: int, grown: int, held: str) -> _Block:
        """Return the block after the line at offset `at` has grown; `held` is its text now."""
        line = bisect_right(self.starts, at)
        moved = tuple([start + grown for start in self.starts[line:]])
        return _Block(self.starts[:line] + moved, len(held), _utf8_length(held))


@dataclass(frozen=True, slots=True)
class LineEntry:
    """A place in the terms of tree-sitter: UTF-8 bytes from the start, row, bytes into the row."""

    byte: int
    row: int
    column: int


class LineIndex:
    """The lines of one immutable text. The text itself is passed in where it is needed."""

    __slots__ = ("_blocks", "_bytes", "_characters", "_lines")

    def __init__(self, blocks: tuple[_Block, ...]) -> None:
        self._blocks = blocks
        self._lines = tuple(accumulate((len(b.starts) for b in blocks), initial=0))
        self._characters = tuple(accumulate((b.characters for b in blocks), initial=0))
        self._bytes = tuple(accumulate((b.bytes for b in blocks), initial=0))

    @classmethod
    def of(cls, text: str) -> LineIndex:
        """Return the index of a whole text."""
        return cls(_blocks_of(text, last=True))

    @property
    def count(self) -> int:
        """How many lines there are; an empty text has one."""
        return self._lines[-1]

    @property
    def characters(self) -> int:
        """The length of the text."""
        return self._characters[-1]

    def start(self, line: int) -> int:
        """Return the offset of the first character of `line`, which must exist."""
        block = bisect_right(self._lines, line) - 1
        return self._characters[block] + self._blocks[block].starts[line - self._lines[block]]

    def end(self, line: int, text: str) -> int:
        """Return the offset of the end of `line`, before its line end."""
        if line + 1 >= self.count:
            return self.characters
        end = self.start(line + 1)
        if text[end - 1] == "\n" and end >= 2 and text[end - 2] == "\r":
            return end - 2
        return end - 1

    def line_at(self, offset: int) -> int:
        """Return the line that holds `offset`."""
        block = self._block_at(offset)
        starts = self._blocks[block].starts
        return self._lines[block] + bisect_right(starts, offset - self._characters[block]) - 1

    def place(self, offset: int, text: str) -> LineEntry:
        """Return `offset` in the terms of tree-sitter."""
        row = self.line_at(offset)
        column = _utf8_length(text[self.start(row) : offset])
        return LineEntry(self.byte_at(offset, text), row, column)

    def byte_at(self, offset: int, text: str) -> int:
        """Return the UTF-8 offset of the character at `offset`."""
        block = self._block_at(offset)
        return self._bytes[block] + _utf8_length(text[self._characters[block] : offset])

    def offset_at(self, byte: int, text: str) -> int:
        """Return the character that the UTF-8 offset `byte` belongs to, or the end of the text."""
        block = self._block_at_byte(byte)
        start, held = self._characters[block], self._blocks[block]
        into = min(byte - self._bytes[block], held.bytes)
        if held.bytes == held.characters:
            return start + into
        encoded = text[start : start + held.characters].encode()
        return start + len(encoded[:into].decode(errors="ignore"))

    def replaced(self, start: int, end: int, new_text: str, grown: int) -> LineIndex:
        """Return the index after [start, end) was replaced.

        `new_text` is the whole text after it, `grown` the difference in characters.
        """
        first, last = self._block_at(start), self._block_at(end)
        # A block's first character may now complete the CRLF that begins in the block before.
        if first > 0 and start == self._characters[first]:
            first -= 1
        # Splitting never leaves small blocks, deleting does: they are joined to the next.
        if self._lines[last + 1] - self._lines[first] < SMALL and last + 1 < len(self._blocks):
            last += 1
        low, high = self._characters[first], self._characters[last + 1] + grown
        if first == last and self._keeps_lines(start, end, new_text, grown):
            block = self._blocks[first]
            fresh: tuple[_Block, ...] = (block.stretched(start - low, grown, new_text[low:high]),)
        else:
            fresh = _blocks_of(new_text[low:high], last=last + 1 == len(self._blocks))
        return LineIndex(self._blocks[:first] + fresh + self._blocks[last + 1 :])

    def _keeps_lines(self, start: int, end: int, new_text: str, grown: int) -> bool:
        """Return whether all line ends are where they were, but for the shift."""
        # With the character before: what comes behind a CR may join it, or part it from its LF.
        seam = new_text[max(start - 1, 0) : end + grown]
        new = new_text[start : end + grown]
        breaks = seam.startswith("\r") or "\n" in new or "\r" in new
        return not breaks and self.line_at(start) == self.line_at(end)

    def _block_at(self, offset: int) -> int:
        return min(bisect_right(self._characters, offset), len(self._blocks)) - 1

    def _block_at_byte(self, byte: int) -> int:
        return min(bisect_right(self._bytes, byte), len(self._blocks)) - 1


def _blocks_of(text: str, *, last: bool) -> tuple[_Block, ...]:
    ends = _line_ends(text)
    if last:
        # The last line has no line end; it may be empty.
        ends.append(len(text))
    bounds = [0, *ends]
    groups = -(-len(ends) // LINES_PER_BLOCK)
    size = -(-len(ends) // max(groups, 1))
    return tuple(_block(text, bounds[i : i + size + 1]) for i in range(0, len(ends), size or 1))


def _block(text: str, bounds: list[int]) -> _Block:
    low, high = bounds[0], bounds[-1]
    held = text[low:high]
    starts = tuple(bound - low for bound in bounds[:-1])
    return _Block(starts, high - low, _utf8_length(held))


def _line_ends(text: str) -> list[int]:
    if "\r" in text:
        return [match.end() for match in _LINE_END.finditer(text)]
    return list(accumulate(len(line) + 1 for line in text.split("\n")[:-1]))


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
