"""Completions from a question to what is shown, and how that ends."""
