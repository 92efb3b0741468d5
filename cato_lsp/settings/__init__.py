"""The settings: each one is declared once, with its default and its validation."""
