"""Completions from a question to what is shown, and what becomes of it."""
