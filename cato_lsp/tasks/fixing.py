"""What code a fix outside of functions and classes is about."""

from __future__ import annotations

from cato_lsp.syntax.parsing import settled
from cato_lsp.text.snapshot import Snapshot

MOST_FIXED_CHARS = 6000
"""Of code that is answered as a whole: as much as the 2048 tokens of an answer usually hold."""


def whole_statements(snapshot: Snapshot, start: int, end: int) -> tuple[int, int]:
    """Returns the range widened to the whole lines that are fixed for it.

    These are the lines of the range, of the statements of the file that reach into them, and of
    the code above where all lines are blank. Statements are left out without a grammar, where it
    cannot read them, and where they are too long for one answer.
    """
    first, last = _with_code(snapshot, *_lines_of(snapshot, start, end))
    begin, behind = _range_of(snapshot, *_statements(snapshot, first, last))
    if behind - begin > MOST_FIXED_CHARS:
        return _range_of(snapshot, first, last)
    return begin, behind


def _lines_of(snapshot: Snapshot, start: int, end: int) -> tuple[int, int]:
    """The first and the last line; a range that ends at the start of a line does not touch it."""
    lines = snapshot.lines
    return lines.line_at(start), lines.line_at(max(start, end - 1))


def _range_of(snapshot: Snapshot, first: int, last: int) -> tuple[int, int]:
    return snapshot.lines.start(first), snapshot.lines.end(last, snapshot.text)


def _with_code(snapshot: Snapshot, first: int, last: int) -> tuple[int, int]:
    """The lines, and the nearest ones above, else below, that make them hold any code."""
    while first > 0 and not _text(snapshot, first, last).strip():
        first -= 1
    while last + 1 < snapshot.lines.count and not _text(snapshot, first, last).strip():
        last += 1
    return first, last


def _text(snapshot: Snapshot, first: int, last: int) -> str:
    start, end = _range_of(snapshot, first, last)
    return snapshot.text[start:end]


def _statements(snapshot: Snapshot, first: int, last: int) -> tuple[int, int]:
    """The lines, and those of all statements of the file that reach into them."""
    tree = settled(snapshot).tree
    if tree is None:
        return first, last
    begin, end = first, last
    for node in tree.root_node.named_children:
        node_end = node.end_point.row - (node.end_point.column == 0)
        if not node.is_error and node.start_point.row <= last and node_end >= first:
            begin, end = min(begin, node.start_point.row), max(end, node_end)
    return begin, end
