"""The contract between the language server and the backend.

This is the only part of the backend that `cato_lsp` may import, so it imports nothing heavier
than the standard library and platformdirs.
"""
