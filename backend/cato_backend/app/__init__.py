"""Composition of a backend: its parts, the single-instance lock, and its shutdown."""
