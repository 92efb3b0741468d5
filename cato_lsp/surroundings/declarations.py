"""The declarations of a file, without their bodies."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from cato_lsp.syntax import tree as trees
from cato_lsp.syntax.shapes import Shape, shape_of
from cato_lsp.text.snapshot import Snapshot

_LONGEST = 300
_MOST_METHODS = 12


def declarations(snapshot: Snapshot, names: frozenset[str]) -> str:
    """The signatures of the file's top-level definitions, those of methods below their class.

    `names`: only these; empty for all. Nothing without a tree.
    """
    if snapshot.tree is None:
        return ""
    shape = shape_of(snapshot.language_id)
    lines: list[str] = []
    for node in snapshot.tree.root_node.named_children:
        definition = _unwrapped(node, shape)
        if definition is not None and (not names or _name(definition, shape) in names):
            lines += _signatures(definition, shape)
    return "\n".join(lines)


def _unwrapped(node: Node, shape: Shape) -> Node | None:
    """The definition that a statement holds, if it holds one."""
    wanted = shape.functions | shape.methods | shape.classes
    for _ in range(4):
        if node.type in wanted:
            return node
        if node.type not in shape.wrappers:
            return None
        inner = [child for child in node.named_children if child.type not in shape.attributes]
        if not inner:
            return None
        node = inner[-1]
    return None


def _signatures(definition: Node, shape: Shape) -> Iterator[str]:
    yield _signature(definition)
    body = definition.child_by_field_name("body")
    if definition.type not in shape.classes or body is None:
        return
    held = (_unwrapped(child, shape) for child in body.named_children)
    methods = [method for method in held if method is not None]
    for method in methods[:_MOST_METHODS]:
        yield "    " + _signature(method)


def _signature(definition: Node) -> str:
    """The text up to the body, on one line."""
    text = (definition.text or b"").decode(errors="replace")
    body = definition.child_by_field_name("body")
    if body is not None:
        text = text.encode()[: body.start_byte - definition.start_byte].decode(errors="replace")
    return " ".join(text.split())[:_LONGEST]


def _name(definition: Node, shape: Shape) -> str:
    name = trees.name_of(definition, shape)
    return (name.text or b"").decode(errors="replace") if name is not None else ""
