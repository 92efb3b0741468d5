"""The function or class around a cursor, and where it stands after the document was edited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tree_sitter import Node

from cato_lsp.syntax.nearby import nearby
from cato_lsp.syntax.parsing import settled
from cato_lsp.syntax.plain_text import block_at
from cato_lsp.syntax.scopes import definitions_at, scope_of
from cato_lsp.syntax.shapes import Shape, shape_of
from cato_lsp.text.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Unit:
    """A function, method or class with its decorators and doc comment; offsets in characters."""

    name: str
    kind: str
    text: str
    start: int
    end: int
    docstring: tuple[int, int] | None = None
    """Where its docstring is, or belongs where it has none; None where docstrings are not usual."""


def unit_at(snapshot: Snapshot, offset: int) -> Unit | None:
    """Return the innermost named function or method around `offset`, else class, else None.

    The decorators and the doc comment of a definition belong to it. Without a tree it is the
    block of text whose first line looks like a definition, as far as its indentation or braces go.
    """
    offset = min(max(offset, 0), len(snapshot.text))
    if snapshot.tree is None:
        block = block_at(snapshot, offset)
        if block is None:
            return None
        return _unit(snapshot, block.name, block.kind, block.start, block.end)
    return _defined_at(settled(snapshot), offset)


def _defined_at(snapshot: Snapshot, offset: int) -> Unit | None:
    shape = shape_of(snapshot.language_id)
    # The cursor may stand in what leads up to the definition: look from its end, too.
    for place in (offset, _behind_preamble(snapshot, offset)):
        nodes = definitions_at(snapshot, place, nearby(snapshot.text, place))
        chosen = _chosen(snapshot, nodes, shape)
        if chosen is not None and (place == offset or _start(snapshot, chosen, shape) <= offset):
            return _unit_of(snapshot, nodes, chosen, shape)
    return None


def _chosen(snapshot: Snapshot, nodes: list[Node], shape: Shape) -> Node | None:
    """Return the innermost function that has a name, else the innermost class."""
    functions = [node for node in nodes if node.type not in shape.classes]
    named = (node for node in functions if scope_of(snapshot, node, None).name)
    classes = (node for node in nodes if node.type in shape.classes)
    return next(named, None) or next(classes, None) or next(iter(functions), None)


def _unit_of(snapshot: Snapshot, nodes: list[Node], node: Node, shape: Shape) -> Unit:
    outer = next(iter(nodes[nodes.index(node) + 1 :]), None)
    scope = scope_of(snapshot, node, outer)
    whole = _wrapped(node, shape)
    end = snapshot.lines.offset_at(whole.end_byte, snapshot.text)
    unit = _unit(snapshot, scope.name, scope.kind, _start(snapshot, node, shape), end)
    return replace(unit, docstring=_docstring(snapshot, node)) if shape.docstrings else unit


def _docstring(snapshot: Snapshot, node: Node) -> tuple[int, int] | None:
    """Return the range of the docstring, which is empty if there is none.

    It is None for a body on one line with its signature.
    """
    body = node.child_by_field_name("body")
    # A body that was not typed yet has no children.
    first = next(iter(body.named_children), None) if body is not None else None
    if first is None:
        return None
    start = snapshot.lines.offset_at(first.start_byte, snapshot.text)
    line_start = snapshot.lines.start(snapshot.lines.line_at(start))
    if snapshot.text[line_start:start].strip():
        return None
    held = first.named_children if first.type == "expression_statement" else []
    is_docstring = [node.type for node in held] == ["string"]
    end = snapshot.lines.offset_at(first.end_byte, snapshot.text) if is_docstring else start
    return start, end


def _start(snapshot: Snapshot, node: Node, shape: Shape) -> int:
    """Return the start of the definition's line, or of decorators and comments directly above."""
    first = _wrapped(node, shape)
    row = first.start_point.row
    while (above := _above(first)) is not None and _belongs(above, row, shape):
        first, row = above, above.start_point.row
    start = snapshot.lines.offset_at(first.start_byte, snapshot.text)
    line_start = snapshot.lines.start(snapshot.lines.line_at(start))
    return line_start if not snapshot.text[line_start:start].strip() else start


def _above(node: Node) -> Node | None:
    """Return the node before; for the first node in a body, the one before its parent."""
    parent = node.parent
    first_in_body = parent is not None and parent.start_byte == node.start_byte
    return parent.prev_sibling if parent is not None and first_in_body else node.prev_sibling


def _belongs(above: Node, row: int, shape: Shape) -> bool:
    if above.type not in shape.comments | shape.attributes:
        return False
    before = above.prev_sibling
    trails = before is not None and _last_row(before) == above.start_point.row
    return _last_row(above) >= row - 1 and not trails


def _last_row(node: Node) -> int:
    """Return the row of the node's last character.

    A node that holds its own line end stops at the start of the next row.
    """
    return node.end_point.row - (node.end_point.column == 0)


def _wrapped(node: Node, shape: Shape) -> Node:
    """Return the definition with what holds it: `export`, `@decorator`, `const f =`."""
    while (parent := node.parent) is not None and parent.type in shape.wrappers:
        node = parent
    return node


def _behind_preamble(snapshot: Snapshot, offset: int) -> int:
    """Return the end of the next line that is no comment, decorator or blank."""
    lines = snapshot.lines
    line = lines.line_at(offset)
    while line + 1 < lines.count and _is_preamble(snapshot.line(line)):
        line += 1
    return lines.end(line, snapshot.text)


def _is_preamble(line: str) -> bool:
    line = line.strip()
    return not line or line.startswith(("@", "#", "//", "/*", "*", "["))


def _unit(snapshot: Snapshot, name: str, kind: str, start: int, end: int) -> Unit:
    return Unit(name, kind, snapshot.text[start:end], start, end)


def relocated(unit: Unit, before: Snapshot, now: Snapshot) -> Unit | None:
    """Return the unit of the snapshot `before` where it stands in `now`.

    Returns None where its text, or what stands beside it on its first and last line, was edited,
    and where it moved and it cannot be told from another piece of the same text.
    """
    beside = _beside(before.text, unit.start, unit.end)
    start = unit.start
    if now.text[start : unit.end] != unit.text or _beside(now.text, start, unit.end) != beside:
        start = _only_place(now.text, unit.text)
        if start < 0 or _only_place(before.text, unit.text) != unit.start:
            return None
        if _beside(now.text, start, start + len(unit.text)) != beside:
            return None
    return _moved(unit, start - unit.start)


def _beside(text: str, start: int, end: int) -> tuple[str, str]:
    """Return what stands on the line before `start` and behind `end`, stripped of white space."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    # A unit that holds its last line end has nothing behind it: what follows is another line.
    is_closed = text[start:end].endswith("\n")
    behind = "" if is_closed else text[end : line_end if line_end >= 0 else len(text)]
    return text[line_start:start].strip(), behind.strip()


def _only_place(text: str, words: str) -> int:
    """Return the offset of the one place of `words`; -1 if there is none, or another."""
    start = text.find(words)
    return start if text.find(words, start + 1) < 0 else -1


def _moved(unit: Unit, by: int) -> Unit:
    docstring = unit.docstring and (unit.docstring[0] + by, unit.docstring[1] + by)
    return replace(unit, start=unit.start + by, end=unit.end + by, docstring=docstring)


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
