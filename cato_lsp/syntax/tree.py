"""Queries of a syntax tree that follow one path from the root. None walks the whole tree."""

from __future__ import annotations

from collections.abc import Sequence

from tree_sitter import Node, Tree

from cato_lsp.syntax.shapes import Shape

_DEEPEST_CLOSER = 6


def path_to(tree: Tree, byte: int) -> tuple[Node, ...]:
    """Return the nodes that hold the byte at offset `byte`, from the root to the leaf."""
    path = [tree.root_node]
    cursor = tree.walk()
    while cursor.goto_first_child_for_byte(byte) is not None:
        node = cursor.node
        if node is None or not node.start_byte <= byte < node.end_byte:
            break
        path.append(node)
    return tuple(path)


def is_sound(path: Sequence[Node]) -> bool:
    """Return whether the top-level node of the path, and the place before it, hold no error."""
    if not path[0].has_error:
        return True
    if len(path) == 1 or path[1].has_error:
        return False
    before = path[1].prev_sibling
    return before is None or not before.is_error


def string_at(path: Sequence[Node], byte: int, shape: Shape) -> bool:
    """Return whether `byte` lies inside a string, and not in code inside of it."""
    for node in reversed(path):
        if _is(node, shape.all_holes) and node.start_byte < byte < node.end_byte:
            return False
        if _is(node, shape.strings) and node.start_byte < byte < node.end_byte:
            return True
    return False


def _is(node: Node, types: frozenset[str]) -> bool:
    # A keyword is a nameless node of its own text, such as the type `string` of TypeScript.
    return node.is_named and node.type in types


def comment_at(path: Sequence[Node], byte: int, shape: Shape) -> Node | None:
    """Return the comment that `byte` lies in or at the end of."""
    found = (node for node in path if _is(node, shape.comments) and node.start_byte < byte)
    return next(found, None)


def region_end(path: Sequence[Node], byte: int, shape: Shape) -> int:
    """Return the end of the string or comment that `byte` lies inside of, else `byte`."""
    for node in path:
        if _is(node, shape.strings | shape.comments) and node.start_byte < byte:
            return node.end_byte
    return byte


def definitions(path: Sequence[Node], shape: Shape) -> list[Node]:
    """Return the functions and classes of the path, innermost first."""
    wanted = shape.functions | shape.methods | shape.classes
    return [node for node in reversed(path) if _is(node, wanted)]


def lacks_closer(node: Node) -> bool:
    """Return whether the node's last token, its closer, had to be made up."""
    for _ in range(_DEEPEST_CLOSER):
        if node.is_missing:
            return True
        last = node.child(node.child_count - 1) if node.child_count else None
        if last is None:
            return False
        node = last
    return False


def name_of(node: Node, shape: Shape) -> Node | None:
    """Return the name of a definition; of a nameless function, that of what it is assigned to."""
    named = _field(node, shape.named_by)
    if named is not None:
        return _innermost_declarator(named)
    parent = node.parent
    if parent is None or parent.type not in shape.wrappers:
        return None
    return _field(parent, ("name", "key", "property"))


def _field(node: Node, names: Sequence[str]) -> Node | None:
    fields = (node.child_by_field_name(name) for name in names)
    return next((field for field in fields if field is not None), None)


def _innermost_declarator(node: Node) -> Node:
    # A loop: thousands of `*` nest as deeply.
    while (inner := _inner_declarator(node)) is not None:
        node = inner
    return node


def _inner_declarator(node: Node) -> Node | None:
    inner = node.child_by_field_name("declarator")
    if inner is None and node.type == "reference_declarator" and node.named_child_count:
        return node.named_child(0)
    return inner


def kind_of(node: Node, outer: Node | None, shape: Shape) -> str:
    """Return `class`, `method` or `function`; `outer` is the definition around it."""
    if node.type in shape.classes:
        return "class"
    if node.type in shape.methods or (outer is not None and outer.type in shape.classes):
        return "method"
    return "function"


def body_is_empty(function: Node, byte: int, shape: Shape) -> bool:
    """Return whether the function's body has begun before `byte` and holds no code.

    Comments and a docstring are no code.
    """
    body = function.child_by_field_name("body")
    if body is None:
        return shape.ends_with_word and _signature_end(function) <= byte
    if not shape.indented and not _opens_with_brace(body, byte):
        return False
    first = True
    for child in body.named_children:
        if child.type in shape.comments:
            continue
        if not (first and shape.docstrings and _is_docstring(child) and child.end_byte <= byte):
            return False
        first = False
    return not shape.indented or _has_colon_before(function, byte)


def _opens_with_brace(body: Node, byte: int) -> bool:
    # A body that is not typed yet is a MISSING node, which has no children.
    opener = body.child(0) if body.child_count else None
    return body.start_byte < byte and opener is not None and opener.type == "{"


def _signature_end(function: Node) -> int:
    fields = (function.child_by_field_name("name"), function.child_by_field_name("parameters"))
    return max((field.end_byte for field in fields if field is not None), default=0)


def _is_docstring(node: Node) -> bool:
    return (
        node.type == "expression_statement"
        and node.named_child_count == 1
        and node.named_children[0].type == "string"
    )


def _has_colon_before(function: Node, byte: int) -> bool:
    return any(child.type == ":" and child.end_byte <= byte for child in function.children)
