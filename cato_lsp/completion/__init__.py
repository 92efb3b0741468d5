"""The end of a completion, and the part of it that is shown."""

from cato_lsp.completion.enough import Completeness

__all__ = ["Completeness"]
