"""Statements of a definition, and syntax errors."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from cato_lsp.syntax.parsing import settled
from cato_lsp.syntax.units import Unit
from cato_lsp.text.snapshot import Snapshot


def statement_lines(snapshot: Snapshot, unit: Unit) -> tuple[int, ...]:
    """Return the lines of the unit at which a statement or member begins.

    They are counted from 0. There are none without a tree.
    """
    tree = settled(snapshot).tree
    if tree is None:
        return ()
    first = snapshot.lines.line_at(unit.start)
    last = snapshot.lines.line_at(unit.end)
    rows = {row - first for row in _statement_rows(tree.root_node, first, last)}
    return tuple(sorted(row for row in rows if row > 0))


def statements_around(snapshot: Snapshot, first: int, last: int) -> tuple[int, int]:
    """Return the lines, and those of all statements of the file that reach into them."""
    tree = settled(snapshot).tree
    if tree is None:
        return first, last
    begin, end = first, last
    for node in tree.root_node.named_children:
        node_end = node.end_point.row - (node.end_point.column == 0)
        if not node.is_error and node.start_point.row <= last and node_end >= first:
            begin, end = min(begin, node.start_point.row), max(end, node_end)
    return begin, end


def syntax_errors(snapshot: Snapshot, most: int = 5) -> tuple[tuple[int, str], ...]:
    """Return the lines, counted from 0, that the grammar cannot read, and what is wrong there."""
    tree = settled(snapshot).tree
    if tree is None or not tree.root_node.has_error:
        return ()
    found: dict[int, str] = {}
    for node in _erroneous(tree.root_node):
        what = f"{node.type} is missing" if node.is_missing else "syntax error"
        found.setdefault(node.start_point.row, what)
        if len(found) == most:
            break
    return tuple(sorted(found.items()))


def _statement_rows(node: Node, first: int, last: int) -> Iterator[int]:
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        if inner.end_point.row < first or inner.start_point.row > last:
            continue
        if _holds_statements(inner):
            yield from (child.start_point.row for child in inner.named_children)
        waiting += inner.named_children


def _holds_statements(node: Node) -> bool:
    return node.parent is None or any(
        word in node.type for word in ("block", "body", "module", "program", "declaration_list")
    )


def _erroneous(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        if inner.is_error or inner.is_missing:
            yield inner
        elif inner.has_error:
            waiting += reversed(inner.children)
