"""Measures a live replica over a designed grid and fits its step law."""
