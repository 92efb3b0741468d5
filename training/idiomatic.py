"""Short pieces of the corpus's own files that look like what a person has open in an editor.

They are over-sampled because a long file's middle, the usual piece, teaches little of short ones:
small functions on their own, the imports at a file's head, the main guard at its tail.
"""

from __future__ import annotations

import ast
import random
import textwrap
import warnings
from collections.abc import Iterator

MAX_CHARACTERS = 700
PER_FILE = 2


def idiomatic_pieces(source: str, rng: random.Random) -> Iterator[str]:
    """Up to `PER_FILE` small functions or classes of a Python file, its imports, its main guard."""
    functions = list(small_definitions(source))
    yield from rng.sample(functions, min(PER_FILE, len(functions)))
    yield from imports(source, rng)
    yield from main_guard(source)


def small_definitions(source: str) -> Iterator[str]:
    """Every function and class of 2 to `MAX_CHARACTERS` characters, moved to the left margin."""
    lines = source.splitlines(keepends=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        start = min((mark.lineno for mark in node.decorator_list), default=node.lineno)
        text = textwrap.dedent("".join(lines[start - 1 : node.end_lineno]))
        if 40 <= len(text) <= MAX_CHARACTERS:
            yield text


def imports(source: str, rng: random.Random) -> Iterator[str]:
    """A quarter of the time: from the first import on, up to `MAX_CHARACTERS` characters."""
    at = 0 if source.startswith(("import ", "from ")) else source.find("\nimport ") + 1
    if (at or source.startswith(("import ", "from "))) and rng.random() < 0.25:
        end = source.rfind("\n", at, at + rng.randint(150, MAX_CHARACTERS))
        if end > at:
            yield source[at : end + 1]


def main_guard(source: str) -> Iterator[str]:
    """The end of a script, from a little before its `if __name__` on."""
    at = source.find("\nif __name__ ==")
    if at >= 0:
        start = source.find("\n", max(0, at - 300)) + 1
        yield source[start : at + 300]
