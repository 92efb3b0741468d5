"""Short pieces of the corpus's own files that look like what a person has open in an editor.

They are over-sampled because a long file's middle, the usual piece, teaches little of short ones:
small functions, a class up to its constructor, the imports at a file's head, the main guard at
its tail. All of it is code as somebody wrote it; only margins are moved, definitions chosen, and in
most small ones names changed (`training.renaming`).
"""

from __future__ import annotations

import ast
import random
import textwrap
import warnings
from collections.abc import Iterator

from training.infill import COMMON, LOOP_OR_FILE, indent_of
from training.renaming import with_renamed

MAX_CHARACTERS = 800
LOOP_OR_FILE_TIMES = 6
MOST_TOGETHER = 3
SHORTENED_SHARE = 0.8

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def idiomatic_pieces(source: str, per_file: int, rng: random.Random) -> Iterator[str]:
    """Small definitions of a Python file, up to three together, its imports, its main guard.

    Of definitions that hold nothing common up to `per_file` are taken.
    """
    small = list(small_definitions(source))
    other = [text for text in small if not COMMON.search(text)]
    chosen = rng.sample(other, min(per_file, len(other)))
    for text in small:
        chosen += [text] * times(text)
    chosen = with_renamed(chosen, rng)
    rng.shuffle(chosen)
    while chosen:
        count = rng.randint(1, MOST_TOGETHER)
        yield "\n\n".join(chosen[:count])
        chosen = chosen[count:]
    yield from imports(source, rng)
    yield from main_guard(source)


def times(definition: str) -> int:
    """How often it comes, each time under names of its own."""
    if LOOP_OR_FILE.search(definition):
        return LOOP_OR_FILE_TIMES
    return 1 if COMMON.search(definition) else 0


def definitions(source: str) -> Iterator[Definition]:
    """Every function and class of a file that parses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    return (node for node in ast.walk(tree) if isinstance(node, Definition))


def with_short_docstrings(source: str, rng: random.Random) -> str:
    """The file with most of its docstrings cut behind their first paragraph.

    Prose is a good part of Python files, and a network this small learns little from it.
    """
    lines = source.splitlines(keepends=True)
    for node in definitions(source):
        first = node.body[0]
        if ast.get_docstring(node) is None or rng.random() > SHORTENED_SHARE:
            continue
        end = first.end_lineno or first.lineno
        mark = lines[end - 1].rstrip()[-3:]
        blank = next((at for at in range(first.lineno, end - 1) if not lines[at].strip()), None)
        if blank is not None and mark in {'"""', "'''"}:
            indent = lines[first.lineno - 1][: indent_of(lines[first.lineno - 1])]
            lines[blank:end] = [f"{indent}{mark}\n"] + [""] * (end - blank - 1)
    return "".join(lines)


def small_definitions(source: str) -> Iterator[str]:
    """Functions, classes and classes up to their constructor, moved to the left margin.

    Those of 40 to `MAX_CHARACTERS` characters.
    """
    lines = source.splitlines(keepends=True)
    for node in definitions(source):
        if node.name == "__init__":
            continue
        start = min((mark.lineno for mark in node.decorator_list), default=node.lineno)
        for end in {node.end_lineno, constructor_end(node)}:
            text = textwrap.dedent("".join(lines[start - 1 : end]))
            if end and 40 <= len(text) <= MAX_CHARACTERS:
                yield text


def constructor_end(node: ast.AST) -> int | None:
    """The last line of a class's `__init__`; None where there is none."""
    for part in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return part.end_lineno
    return None


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
