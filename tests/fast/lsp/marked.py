"""Sources with a `|` where the cursor stands (the last one, where code has its own)."""

from __future__ import annotations

from cato_lsp.syntax import SyntaxContext, open_document, syntax_context
from cato_lsp.text import Snapshot


def place(language: str, marked: str) -> tuple[Snapshot, int]:
    """A snapshot of the source without its mark, and the mark's offset."""
    offset = marked.rindex("|")
    text = marked[:offset] + marked[offset + 1 :]
    return open_document("file:///a", language, 1, text).snapshot(), offset


def context_at(language: str, marked: str) -> SyntaxContext:
    """The context at the mark."""
    return syntax_context(*place(language, marked))
