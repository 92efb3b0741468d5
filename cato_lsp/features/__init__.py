"""One module per request: they adapt LSP to plain functions, and back."""
