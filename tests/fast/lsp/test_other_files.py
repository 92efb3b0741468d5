"""What other files have to say, within its budget."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from cato_lsp.decisions.imports import Import, candidates, declarations, imports_of
from cato_lsp.decisions.pieces import (
    BUDGET,
    OtherFile,
    Piece,
    edited,
    similar,
    within_budget,
    words,
)
from cato_lsp.syntax import open_document
from cato_lsp.text import Snapshot


def parsed(text: str, language: str = "python") -> Snapshot:
    return open_document("file:///p/other", language, 1, text).snapshot()


@pytest.mark.parametrize(
    ("language", "text", "module", "names"),
    [
        ("python", "from a.b import (c, d as e)\n", "a.b", {"c", "d", "e"}),
        ("python", "from . import x\n", ".", {"x"}),
        ("typescript", "import { A, type B } from './lib/a';\n", "./lib/a", {"A", "type", "B"}),
        ("java", "import a.b.C;\n", "a.b.C", set[str]()),
        ("c", '#include "list.h"\n', "list.h", set[str]()),
    ],
)
def test_imports_are_read(language: str, text: str, module: str, names: set[str]) -> None:
    assert imports_of(parsed(text, language)) == [Import(module, frozenset(names))]


@pytest.mark.parametrize(
    ("language", "module", "document", "found"),
    [
        ("python", "pkg.mod", "/w/pkg/sub/a.py", "/w/pkg/mod.py"),
        ("python", "..mod", "/w/pkg/sub/a.py", "/w/pkg/mod.py"),
        ("typescript", "./lib/a", "/w/src/b.ts", "/w/src/lib/a.ts"),
        ("java", "a.b.C", "/w/src/a/x/D.java", "/w/src/a/b/C.java"),
        ("c", "list.h", "/w/src/m.c", "/w/src/list.h"),
    ],
)
def test_a_module_is_looked_for_where_it_may_lie(
    language: str, module: str, document: str, found: str
) -> None:
    paths = candidates(Import(module, frozenset()), language, PurePath(document))
    assert PurePath(found) in list(paths)


def test_declarations_are_signatures_without_bodies() -> None:
    source = parsed(
        "import os\n\n@decorator\ndef first(a: int,\n          b: str) -> bool:\n    secret = 1\n\n"
        "class Box:\n    def open(self) -> None:\n        secret = 2\n\ndef other():\n    pass\n"
    )
    assert declarations(source, frozenset({"first", "Box"})).splitlines() == [
        "def first(a: int, b: str) -> bool:",
        "class Box:",
        "    def open(self) -> None:",
    ]
    assert "def other():" in declarations(source, frozenset())


def test_the_most_similar_lines_are_found() -> None:
    filler = "".join(f"unrelated_{n} = {n}\n" for n in range(60))
    wanted = words("total_price = quantity * unit_price\ndiscounted = total_price - discount\n")
    like = "net = total_price - discount  # quantity, unit_price\ndiscounted = net\n"
    (piece,) = similar([OtherFile("shop.py", parsed(filler + like + filler))], wanted)
    assert piece.path == "shop.py"
    assert "total_price - discount" in piece.text
    assert similar([OtherFile("filler.py", parsed(filler))], wanted) == []


def test_recent_edits_come_with_their_lines() -> None:
    text = "".join(f"line_{n}\n" for n in range(100))
    (piece,) = edited([OtherFile("a.py", parsed(text), text.index("line_50"))])
    assert piece.text.startswith("line_46")
    assert piece.text.endswith("line_54")
    assert edited([OtherFile("a.py", parsed(text))]) == []


def test_the_budget_is_kept_and_nothing_comes_twice() -> None:
    pieces = [Piece(f"{n}.py", "x" * 700) for n in range(6)]
    kept = within_budget([pieces[0], *pieces])
    assert kept == tuple(pieces[:3])
    assert sum(len(piece.text) for piece in kept) <= BUDGET
