"""The measures of the evaluation: edit similarity, and whether a filled file parses."""

from __future__ import annotations

import ast
import warnings


def edit_distance(left: str, right: str) -> int:
    """Levenshtein distance in characters."""
    row = list(range(len(right) + 1))
    for number, char in enumerate(left, start=1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(right, start=1):
            substituted = diagonal + (char != other)
            diagonal = row[at]
            row[at] = min(row[at] + 1, row[at - 1] + 1, substituted)
    return row[-1]


def edit_similarity(left: str, right: str) -> float:
    """1 for equal texts, 0 for nothing in common: 1 - distance / the longer length."""
    longest = max(len(left), len(right))
    return 1.0 if longest == 0 else 1 - edit_distance(left, right) / longest


def parses(text: str) -> bool:
    """Whether the text is a Python module that the running interpreter accepts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
