"""LSP language ids and their grammars, each imported when its first document opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import MappingProxyType

from tree_sitter import Language

_GRAMMARS = MappingProxyType(
    {
        "python": ("tree_sitter_python", "language"),
        "javascript": ("tree_sitter_javascript", "language"),
        "javascriptreact": ("tree_sitter_javascript", "language"),
        "typescript": ("tree_sitter_typescript", "language_typescript"),
        "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
        "java": ("tree_sitter_java", "language"),
        "go": ("tree_sitter_go", "language"),
        "rust": ("tree_sitter_rust", "language"),
        "c": ("tree_sitter_c", "language"),
        "cpp": ("tree_sitter_cpp", "language"),
        "csharp": ("tree_sitter_c_sharp", "language"),
        "ruby": ("tree_sitter_ruby", "language"),
        "php": ("tree_sitter_php", "language_php"),
    }
)

_OTHER_NAMES = MappingProxyType({"cs": "csharp", "c_sharp": "csharp"})
"""What editors say that name a file type where the protocol wants its own id (Neovim: `cs`)."""


def canonical(language_id: str) -> str:
    """The protocol's id of a language."""
    return _OTHER_NAMES.get(language_id, language_id)


@cache
def language(language_id: str) -> Language | None:
    """The grammar of an LSP language id, or None where CATO has none."""
    found = _GRAMMARS.get(language_id)
    if found is None:
        return None
    module, function = found
    pointer: Callable[[], object] = getattr(import_module(module), function)
    return Language(pointer())
