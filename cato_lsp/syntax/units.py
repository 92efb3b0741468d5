"""The function or class around a cursor, and where it stands after the document was edited."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import MappingProxyType

from tree_sitter import Node

from cato_lsp.syntax.lexing import lex, lexicon_of
from cato_lsp.syntax.nearby import nearby, width_of
from cato_lsp.syntax.parsing import settled
from cato_lsp.syntax.scopes import Scope, definitions_at, scope_of
from cato_lsp.syntax.shapes import Shape, shape_of
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
        "kotlin": re.compile(r".*(?:\)|\)[^={]*=\s*\S.*|\{.*\})\s*$"),
        "lua": re.compile(r".*\bend\s*$"),
    }
)
"""How a definition ends that has no further line."""
_ABOVE = re.compile(r"\s*(?:@\w|#(?!!)|//|/\*|\*|--)")
"""A line of a comment, or an annotation, as it stands above a definition."""


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
    """The innermost named function or method around `offset`, else the innermost class, else None.

    The decorators and the doc comment of a definition belong to it. Without a tree it is the
    block of text whose first line looks like a definition, as far as its indentation or braces go.
    """
    offset = min(max(offset, 0), len(snapshot.text))
    if snapshot.tree is None:
        block = _block_at(snapshot, offset)
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
    """The innermost function that has a name, else the innermost class."""
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
    """The range of the docstring, empty where there is none; None for a body on one line with its
    signature."""
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
    """The start of the definition's line, or of the decorators and comments directly above it."""
    first = _wrapped(node, shape)
    row = first.start_point.row
    while (above := _above(first)) is not None and _belongs(above, row, shape):
        first, row = above, above.start_point.row
    start = snapshot.lines.offset_at(first.start_byte, snapshot.text)
    line_start = snapshot.lines.start(snapshot.lines.line_at(start))
    return line_start if not snapshot.text[line_start:start].strip() else start


def _above(node: Node) -> Node | None:
    """The node before; that of the parent where the node is the first in a body."""
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
    """A node that holds its own line end stops at the start of the next row."""
    return node.end_point.row - (node.end_point.column == 0)


def _wrapped(node: Node, shape: Shape) -> Node:
    """The definition with the statement that holds it: `export`, `@decorator`, `const f =`."""
    while (parent := node.parent) is not None and parent.type in shape.wrappers:
        node = parent
    return node


def _behind_preamble(snapshot: Snapshot, offset: int) -> int:
    """The end of the next line that is no comment, decorator or blank."""
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


def _block_at(snapshot: Snapshot, offset: int) -> Scope | None:
    """The innermost block around `offset` whose first line looks like that of a definition.

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
    """The line of the definition that the comment or annotation on this line leads up to, else this
    line."""
    below = line
    while below + 1 < snapshot.lines.count and _ABOVE.match(snapshot.line(below)):
        below += 1
    return below if _HEADER.match(snapshot.line(below)) else line


def _first_line(snapshot: Snapshot, header: int) -> int:
    """The first of the comments and annotations directly above the header."""
    while header > 0 and _ABOVE.match(snapshot.line(header - 1)):
        header -= 1
    return header


def _is_one_line(snapshot: Snapshot, header: int) -> bool:
    pattern = _ONE_LINE.get(snapshot.language_id)
    return pattern is not None and pattern.match(snapshot.line(header)) is not None


def _block_scope(snapshot: Snapshot, name: str, kind: str, first: int, last: int) -> Scope:
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
            # Its body begins only here: behind parameters of several lines, or on a line alone.
            opened = [bracket.character for bracket in lex(line, lexicon).opened]
            if not braced and opened[-1:] == ["{"] and (closes or line.strip() == "{"):
                braced = True
                continue
            return number if closes else last
        last = number
    return last


def relocated(unit: Unit, before: Snapshot, now: Snapshot) -> Unit | None:
    """Returns the unit of the snapshot `before` where it stands in `now`.

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
    """What stands on the line before `start` and behind `end`, without white space around it."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    # A unit that holds its last line end has nothing behind it: what follows is another line.
    is_closed = text[start:end].endswith("\n")
    behind = "" if is_closed else text[end : line_end if line_end >= 0 else len(text)]
    return text[line_start:start].strip(), behind.strip()


def _only_place(text: str, words: str) -> int:
    """The offset of the one place of `words`; -1 where there is none, or another."""
    start = text.find(words)
    return start if text.find(words, start + 1) < 0 else -1


def _moved(unit: Unit, by: int) -> Unit:
    docstring = unit.docstring and (unit.docstring[0] + by, unit.docstring[1] + by)
    return replace(unit, start=unit.start + by, end=unit.end + by, docstring=docstring)
