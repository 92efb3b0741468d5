"""The parts of a whole file: definitions, what lies between them, where statements begin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tree_sitter import Node

from cato_lsp.syntax.lexing import Lexicon, lex, lexicon_of
from cato_lsp.syntax.parsing import settled
from cato_lsp.syntax.shapes import Shape, shape_of
from cato_lsp.syntax.tree import name_of
from cato_lsp.syntax.units import Unit, unit_at
from cato_lsp.text.snapshot import Snapshot

_DEEPEST = 5
"""Levels of namespaces and wrappers above a definition."""
_MOST_NAMED = 12
_IMPORT = re.compile(
    r"\s*(?:import\b|from\s+\S+\s+import\b|#\s*include\b|use\b|using\b|package\b|namespace\b.*;"
    r"|require(?:_relative|_once)?\b|(?:const|let|var)\b(?:.*|\s*\{[^}=]*\}\s*=\s*)\brequire\("
    r"|<\?php|extern\s+crate\b)"
)
_SIGNATURE_CHARS = 300
_LONGEST_IMPORT = 4000
"""In characters: how far a bracket that is open is followed."""


@dataclass(frozen=True, slots=True)
class FileParts:
    """`imports`: the lines that bring in other files; `units`: all else, in its order."""

    imports: str
    units: tuple[Unit, ...]


def definitions_in(snapshot: Snapshot, start: int, end: int, *, nested: bool) -> tuple[Unit, ...]:
    """Return the definitions that begin between the two offsets, in their order.

    There are none without a tree. `nested`: also the methods of classes.
    """
    found: dict[int, Unit] = {}
    snapshot = settled(snapshot)
    if snapshot.tree is None:
        return ()
    for offset in _places(snapshot, nested=nested):
        unit = unit_at(snapshot, offset) if start <= offset < end else None
        if unit is not None:
            found.setdefault(unit.start, unit)
    return tuple(found[at] for at in sorted(found))


def definition_count(snapshot: Snapshot, most: int) -> int:
    """Return how many definitions the tree has, methods included, counted up to `most`.

    It is 0 without a tree.
    """
    return sum(1 for _ in islice(_places(snapshot, nested=True), most))


def named_definitions(snapshot: Snapshot, most: int) -> tuple[int, ...]:
    """Return where the functions, methods and classes begin that have a name.

    There are none without a tree, and if the document has more than `most`. The tree may be that of
    an older text.
    """
    if snapshot.tree is None:
        return ()
    shape = shape_of(snapshot.language_id)
    found = _definitions(snapshot.tree.root_node, shape, True, 0)
    named = [node for node in islice(found, most + 1) if _is_named(node, shape)]
    if len(named) > most:
        return ()
    return tuple(snapshot.lines.offset_at(node.start_byte, snapshot.text) for node in named)


def _is_named(node: Node, shape: Shape) -> bool:
    """Return whether the node is no callback, and no mention of a type: `struct point p;`."""
    is_mention = node.type.endswith("_specifier") and node.child_by_field_name("body") is None
    return not is_mention and name_of(node, shape) is not None


def parts_of(snapshot: Snapshot) -> FileParts:
    """Return the whole file in parts. Without a tree it is one unit."""
    definitions = definitions_in(snapshot, 0, len(snapshot.text), nested=False)
    units: list[Unit] = []
    imports: list[str] = []
    at = 0
    for definition in (*definitions, None):
        end = len(snapshot.text) if definition is None else definition.start
        lines, rest = _between(snapshot, at, end)
        imports += lines
        units += [unit for unit in (rest, definition) if unit is not None]
        at = end if definition is None else definition.end
    return FileParts("\n".join(imports), tuple(units))


def uses_of(units: Sequence[Unit]) -> tuple[tuple[int, ...], ...]:
    """Return for each unit the indexes of the others that its text names."""
    names = [_last_name(unit) for unit in units]
    words = [set(re.findall(r"\w+", unit.text)) for unit in units]
    return tuple(
        tuple(
            other
            for other, name in enumerate(names)
            if other != index and name and name in words[index] and name != names[index]
        )
        for index in range(len(units))
    )


def signature_of(snapshot: Snapshot, unit: Unit) -> str:
    """Return the unit's first line of code up to its body, and of a class its methods'."""
    inner = definitions_in(snapshot, unit.start, unit.end, nested=True)
    methods = [member for member in inner if member.start != unit.start][:_MOST_NAMED]
    return "\n".join([_header(unit), *(f"    {_header(member)}" for member in methods)])


def _places(snapshot: Snapshot, *, nested: bool) -> Iterator[int]:
    """Yield an offset in the first word of each definition, behind what may be another's end."""
    if snapshot.tree is None:
        return
    shape = shape_of(snapshot.language_id)
    for node in _definitions(snapshot.tree.root_node, shape, nested, 0):
        yield snapshot.lines.offset_at(node.start_byte, snapshot.text) + 1


def _definitions(node: Node, shape: Shape, nested: bool, depth: int) -> Iterator[Node]:
    for child in node.named_children:
        if child.type in shape.classes:
            yield child
            if nested:
                yield from _definitions(child, shape, nested, depth + 1)
        elif child.type in shape.functions | shape.methods:
            yield child
        elif depth < _DEEPEST and (nested or _may_hold(child, shape)):
            yield from _definitions(child, shape, nested, depth + 1)


def _may_hold(node: Node, shape: Shape) -> bool:
    """Return whether definitions inside of a node are those of the file.

    They are inside of wrappers and namespaces, but not of statements.
    """
    kind = node.type
    return kind in shape.wrappers or any(
        word in kind for word in ("namespace", "module", "mod_item", "declaration_list", "linkage")
    )


def _between(snapshot: Snapshot, start: int, end: int) -> tuple[list[str], Unit | None]:
    """Return the imports that begin the text between two definitions, and the rest."""
    text = snapshot.text[start:end]
    lexicon = lexicon_of(snapshot.language_id)
    imports: list[str] = []
    while text:
        statement, rest = _statement(text, lexicon)
        if statement.strip() and _IMPORT.match(statement) is None:
            break
        imports += [statement.strip()] if statement.strip() else []
        start += len(text) - len(rest)
        text = rest
    if not text.strip():
        return imports, None
    stop = start + len(text.rstrip())
    whole = not imports and start == 0 and end == len(snapshot.text)
    kind = "file" if whole else "code"
    return imports, Unit("", kind, snapshot.text[start:stop], start, stop)


def _first_line(text: str) -> tuple[str, str]:
    end = text.find("\n")
    return (text, "") if end < 0 else (text[: end + 1], text[end + 1 :])


def _statement(text: str, lexicon: Lexicon) -> tuple[str, str]:
    """Return the lines up to the first at whose end no bracket is open, and the rest.

    If one stays open, it is the first line alone.
    """
    end = 0
    while (end := text.find("\n", end) + 1) > 0 and end <= _LONGEST_IMPORT:
        if not lex(text[:end], lexicon).opened:
            return text[:end], text[end:]
    whole = len(text) <= _LONGEST_IMPORT and not lex(text, lexicon).opened
    return (text, "") if whole else _first_line(text)


def _last_name(unit: Unit) -> str:
    """Return the last part of the name: `A::m` and `p.A` are called by it."""
    return re.split(r"\W+", unit.name)[-1] if unit.name else ""


def _header(unit: Unit) -> str:
    lines = [line.strip() for line in unit.text.splitlines()]
    code = [line for line in lines if line and not line.startswith(("#", "//", "/*", "*", "@"))]
    name = _last_name(unit)
    found = next((line for line in code if name and name in line), next(iter(code), ""))
    return found.rstrip("{ ")[:_SIGNATURE_CHARS]
