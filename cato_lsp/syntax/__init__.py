"""tree-sitter: languages, incremental parse, and what the syntax around a cursor says."""

from cato_lsp.syntax.context import Rest, SyntaxContext, syntax_context
from cato_lsp.syntax.parsing import open_document
from cato_lsp.syntax.scopes import Scope

__all__ = ["Rest", "Scope", "SyntaxContext", "open_document", "syntax_context"]
