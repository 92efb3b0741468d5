"""Small definitions under other names: a network has to copy names instead of guessing them.

A network this small says `self.name = name` from habit, whatever the argument is called. Where the
same definition comes now with `width`, now with `owner`, only the lines around the hole can tell.
"""

from __future__ import annotations

import ast
import random
import re
import warnings
from collections.abc import Iterable, Sequence

BOUND_TO_STAY = frozenset({"self", "cls", "args", "kwargs", "_"})
RENAMED_SHARE = 0.6
EACH_NAME_SHARE = 0.7
WORD = re.compile(r"\b[A-Za-z_]\w*\b")


def names_bound(source: str) -> list[str]:
    """Arguments, local variables and attributes of `self` that a definition sets, each once.

    None where the piece does not parse by itself, as one with a string at the left margin.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError:
        return []
    found = dict.fromkeys(name for node in ast.walk(tree) if (name := _bound_by(node)))
    return [name for name in found if name not in BOUND_TO_STAY and not name.startswith("__")]


def _bound_by(node: ast.AST) -> str | None:
    match node:
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
            return name
    return None


def renamed(source: str, pool: Sequence[str], rng: random.Random) -> str:
    """Most of what the definition binds under names of the pool; the same name everywhere.

    No two names become one: a name that stands in the source already is not given.
    """
    taken = set(WORD.findall(source))
    given: dict[str, str] = {}
    for old in names_bound(source):
        new = rng.choice(pool)
        if rng.random() < EACH_NAME_SHARE and new not in taken:
            given[old] = new
            taken.add(new)
    return WORD.sub(lambda word: given.get(word[0], word[0]), source)


def with_renamed(pieces: Iterable[str], rng: random.Random) -> list[str]:
    """The definitions, `RENAMED_SHARE` of them under names that others of them bind."""
    every = list(pieces)
    pool = [name for piece in every for name in names_bound(piece)]
    return [
        renamed(piece, pool, rng) if pool and rng.random() < RENAMED_SHARE else piece
        for piece in every
    ]
