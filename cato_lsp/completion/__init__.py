"""Where a completion ends, and what of it is shown."""

from cato_lsp.completion.enough import Completeness

__all__ = ["Completeness"]
