"""The tree around one place: enclosing definitions, string or comment, syntax errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tree_sitter import Node, Tree

from cato_lsp.syntax import tree as trees
from cato_lsp.syntax.nearby import Nearby, width_of
from cato_lsp.syntax.shapes import Shape, shape_of
from cato_lsp.text.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Scope:
    """A function, method or class; offsets in characters."""

    name: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NodeSpan:
    """One place of a document as its tree sees it."""

    sound: bool = False
    """Whether the tree can be believed here; false without a tree."""
    in_string: bool = False
    in_comment: bool = False
    in_hole: bool = False
    """In code inside of a string, or of markup."""
    hole: int | None = None
    """Where in the nearby text the code begins that is inside of a string; None outside of one."""
    lex_from: int = 0
    """Where in the nearby text code begins: behind a string or comment that began further up."""
    empty_body: int | None = None
    """The indentation of the innermost function's first line, where its body is empty."""
    scopes: tuple[Scope, ...] = ()
    erroneous: bool = False


def place_of(snapshot: Snapshot, offset: int, around: Nearby) -> NodeSpan:
    """Return the place at `offset`; the default one if there is no tree."""
    if snapshot.tree is None:
        return NodeSpan()
    return _Reader(snapshot, snapshot.tree, offset, around).place()


def definitions_at(snapshot: Snapshot, offset: int, around: Nearby) -> list[Node]:
    """Return the functions and classes around `offset`, innermost first; none without a tree."""
    if snapshot.tree is None:
        return []
    return _Reader(snapshot, snapshot.tree, offset, around).definitions()


def scope_of(snapshot: Snapshot, node: Node, outer: Node | None) -> Scope:
    """Return a definition by name and range; `outer` is the definition around it."""
    shape = shape_of(snapshot.language_id)
    name = trees.name_of(node, shape)
    start, end = _range(snapshot, node)
    text = "" if name is None else snapshot.text[slice(*_range(snapshot, name))]
    return Scope(text, trees.kind_of(node, outer, shape), start, end)


def _range(snapshot: Snapshot, node: Node) -> tuple[int, int]:
    at = snapshot.lines.offset_at
    return at(node.start_byte, snapshot.text), at(node.end_byte, snapshot.text)


class _Reader:
    """Holds what the questions about one place share."""

    def __init__(self, snapshot: Snapshot, tree: Tree, offset: int, around: Nearby) -> None:
        self._snapshot = snapshot
        self._tree = tree
        self._offset = offset
        self._around = around
        self._shape: Shape = shape_of(snapshot.language_id)
        self._byte = snapshot.lines.byte_at(offset, snapshot.text)
        self._path = trees.path_to(tree, max(self._byte - 1, 0))

    def place(self) -> NodeSpan:
        definitions = self.definitions()
        sound = self._snapshot.settled and trees.is_sound(self._path)
        return NodeSpan(
            sound=sound,
            in_string=trees.string_at(self._path, self._byte, self._shape),
            in_comment=self._in_comment(),
            in_hole=any(node.type in self._shape.all_holes for node in self._path),
            hole=self._hole(),
            lex_from=self._lex_from(),
            empty_body=self._empty_body(definitions),
            scopes=self._scopes(definitions),
            erroneous=self._erroneous(),
        )

    def definitions(self) -> list[Node]:
        """Return the definitions that hold the cursor, though their last line may end before it."""
        blank = not self._around.line_before.strip()
        last = len(self._around.before.rstrip())
        anchor = self._offset - len(self._around.before) + last - 1
        path = self._path
        if blank and last:
            anchor_byte = self._snapshot.lines.byte_at(anchor, self._snapshot.text)
            path = trees.path_to(self._tree, anchor_byte)
        return [node for node in trees.definitions(path, self._shape) if self._holds(node, blank)]

    def _holds(self, node: Node, blank: bool) -> bool:
        if self._byte < node.end_byte:
            return True
        if self._shape.indented:
            return not blank or self._in_body(self._width_of(node))
        return trees.lacks_closer(node)

    def _in_body(self, width: int) -> bool:
        """Return whether the blank line of the cursor can be in the body of a header that wide."""
        line = self._around.line_before
        header_above = self._around.before.rstrip().endswith(":")
        return width < width_of(line) or (not line and header_above)

    def _width_of(self, node: Node) -> int:
        start = self._snapshot.lines.offset_at(node.start_byte, self._snapshot.text)
        return width_of(self._snapshot.line(self._snapshot.lines.line_at(start)))

    def _in_comment(self) -> bool:
        comment = trees.comment_at(self._path, self._byte, self._shape)
        if comment is None or self._byte < comment.end_byte:
            return comment is not None
        # At the very end: a line comment continues, unless its node holds the line end too.
        return not self._around.before.endswith(("*/", "\n", "\r", "=end"))

    def _lex_from(self) -> int:
        start = self._offset - len(self._around.before)
        if start == 0:
            return 0
        text, lines = self._snapshot.text, self._snapshot.lines
        byte = lines.byte_at(start, text)
        end = trees.region_end(trees.path_to(self._tree, byte), byte, self._shape)
        return max(min(lines.offset_at(end, text), self._offset) - start, 0)

    def _hole(self) -> int | None:
        """Return where the hole begins in the nearby text, 0 if further up; None without a hole."""
        holes = (node for node in reversed(self._path) if node.type in self._shape.holes)
        hole = next((node for node in holes if node.start_byte < self._byte), None)
        if hole is None:
            return None
        start = self._snapshot.lines.offset_at(hole.start_byte, self._snapshot.text)
        return max(start - (self._offset - len(self._around.before)), 0)

    def _empty_body(self, definitions: Sequence[Node]) -> int | None:
        functions = self._shape.functions | self._shape.methods
        settled = self._snapshot.settled
        if not settled or not definitions or definitions[0].type not in functions:
            return None
        if not trees.body_is_empty(definitions[0], self._byte, self._shape):
            return None
        return self._width_of(definitions[0])

    def _scopes(self, definitions: Sequence[Node]) -> tuple[Scope, ...]:
        outer = [*definitions[1:], None]
        return tuple(
            scope_of(self._snapshot, node, around)
            for node, around in zip(definitions, outer, strict=False)
        )

    def _erroneous(self) -> bool:
        """Return whether the smallest node around the line up to the cursor holds an error."""
        blanks = len(self._around.line_before) - len(self._around.line_before.lstrip())
        start = self._byte - len(self._around.line_before[blanks:].encode())
        holding = [node for node in self._path if node.start_byte <= start]
        return holding[-1].has_error if len(holding) > 1 else not trees.is_sound(self._path)
