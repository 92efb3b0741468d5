"""Decides whether, when and what to ask the backend, and how likely an answer is useful. No I/O."""
