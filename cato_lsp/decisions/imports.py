"""The imports of a document, the files that may hold them, and the declarations in these files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

from tree_sitter import Node

from cato_lsp.syntax import tree as trees
from cato_lsp.syntax.shapes import Shape, shape_of
from cato_lsp.text.snapshot import Snapshot

MOST_IMPORTS = 40
_MOST_ANCESTORS = 8
_LONGEST_SIGNATURE = 300
_MOST_METHODS = 12


@dataclass(frozen=True, slots=True)
class Import:
    """One import: the module as it is written, and the names taken from it (none: all of it)."""

    module: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Grammar:
    nodes: frozenset[str]
    module: re.Pattern[str]
    names: re.Pattern[str] | None = None


_QUOTED = re.compile(r"[\"'<]([^\"'>]+)[\"'>]")
_WORDS = re.compile(r"\w+")
_JAVASCRIPT = _Grammar(
    frozenset({"import_statement"}), _QUOTED, re.compile(r"import\s+(?:type\s+)?(.+?)\s+from", re.S)
)
_C = _Grammar(frozenset({"preproc_include"}), _QUOTED)

_GRAMMARS = MappingProxyType(
    {
        "python": _Grammar(
            frozenset({"import_statement", "import_from_statement"}),
            re.compile(r"(?:from|import)\s+([\w.]+)"),
            re.compile(r"\bimport\s+\(?(.+)", re.S),
        ),
        "javascript": _JAVASCRIPT,
        "javascriptreact": _JAVASCRIPT,
        "typescript": _JAVASCRIPT,
        "typescriptreact": _JAVASCRIPT,
        "java": _Grammar(
            frozenset({"import_declaration"}), re.compile(r"import\s+(?:static\s+)?([\w.]+)")
        ),
        "c": _C,
        "cpp": _C,
        "ruby": _Grammar(frozenset({"call"}), re.compile(r"require_relative\s+[\"']([^\"']+)")),
        "php": _Grammar(frozenset({"namespace_use_declaration"}), re.compile(r"use\s+([\w\\]+)")),
    }
)

_ENDINGS = MappingProxyType(
    {
        "python": (".py", "/__init__.py", ".pyi"),
        "javascript": ("", ".js", ".jsx", ".mjs", "/index.js", ".ts"),
        "typescript": ("", ".ts", ".tsx", ".d.ts", "/index.ts", ".js"),
        "java": (".java",),
        "ruby": ("", ".rb"),
        "php": (".php",),
    }
)


def imports_of(snapshot: Snapshot) -> list[Import]:
    """Return the imports at the top level of a document, in order; none without a tree."""
    grammar = _GRAMMARS.get(snapshot.language_id)
    if grammar is None or snapshot.tree is None:
        return []
    found: list[Import] = []
    for node in snapshot.tree.root_node.children:
        if node.type in grammar.nodes and node.text is not None:
            found += _read(node.text.decode(errors="replace"), grammar)
        if len(found) >= MOST_IMPORTS:
            break
    return found


def candidates(imported: Import, language_id: str, document: PurePath) -> Iterator[PurePath]:
    """Yield the files that an import of `document` may mean, the likeliest first.

    They need not exist.

    A dotted module is looked for in the folders above the document, the nearest first.
    """
    endings = _ENDINGS.get(language_id.removesuffix("react"), ("",))
    for folder in _folders(imported.module, language_id, document):
        relative = _relative(imported.module, language_id)
        for ending in endings:
            yield folder / f"{relative}{ending}"


def _read(text: str, grammar: _Grammar) -> Iterator[Import]:
    module = grammar.module.search(text)
    if module is None:
        return
    named = grammar.names.search(text) if grammar.names is not None else None
    names = frozenset(_WORDS.findall(named[1])) - {"as"} if named is not None else frozenset[str]()
    yield Import(module[1], names)


def _folders(module: str, language_id: str, document: PurePath) -> Iterator[PurePath]:
    above = list(document.parents)
    if language_id == "python" and module.startswith("."):
        dots = len(module) - len(module.lstrip("."))
        yield from above[dots - 1 : dots]
    elif language_id in {"python", "java", "php"}:
        yield from above[:_MOST_ANCESTORS]
    elif module.startswith(".") or language_id in {"c", "cpp", "ruby"}:
        yield document.parent


def _relative(module: str, language_id: str) -> str:
    if language_id in {"python", "java"}:
        return module.lstrip(".").replace(".", "/")
    return module.replace("\\", "/")


def declarations(snapshot: Snapshot, names: frozenset[str]) -> str:
    """Return the signatures of the file's top-level definitions, methods below their class.

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
    """Return the definition that a statement holds, if it holds one."""
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
    """Return the text up to the body, on one line."""
    text = (definition.text or b"").decode(errors="replace")
    body = definition.child_by_field_name("body")
    if body is not None:
        text = text.encode()[: body.start_byte - definition.start_byte].decode(errors="replace")
    return " ".join(text.split())[:_LONGEST_SIGNATURE]


def _name(definition: Node, shape: Shape) -> str:
    name = trees.name_of(definition, shape)
    return (name.text or b"").decode(errors="replace") if name is not None else ""
