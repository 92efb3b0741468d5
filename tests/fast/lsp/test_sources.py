"""Real programs, with something taken out of them: nothing fails, and suggestions are whole.

`CATO_FUZZ_PLACES` and `CATO_FUZZ_SEED` try more places, or others.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bench.suggestion_ends import SUFFIXES, case_of, is_whole, lines_of
from cato_lsp.completion import Completeness
from cato_lsp.decisions.classify import Action, Targets, classify, worth_asking
from cato_lsp.decisions.imports import declarations, imports_of
from cato_lsp.syntax import open_document, syntax_context
from cato_lsp.syntax.parsing import language as grammar_of
from cato_lsp.syntax.units import unit_at
from cato_lsp.tasks.docstrings import documentation

PLACES = int(os.environ.get("CATO_FUZZ_PLACES", "1000"))
SEED = int(os.environ.get("CATO_FUZZ_SEED", "2"))
FOLDER = Path(__file__).parents[2] / "data" / "sources"
LANGUAGES = {**SUFFIXES, ".tsx": "typescriptreact"}
SOURCES = sorted(path for path in FOLDER.iterdir() if path.suffix in LANGUAGES)
PARSED = [path for path in SOURCES if grammar_of(LANGUAGES[path.suffix]) is not None]
LEAST_WHOLE = 0.99
ANSWER = "foo(a, b) {\n  bar)\n}\n"


def exercise(language: str, text: str, offset: int) -> None:
    """Asks everything that is asked of a document's tree, at one place."""
    snapshot = open_document("file:///a", language, 1, text).snapshot()
    context = syntax_context(snapshot, offset)
    unit = unit_at(snapshot, offset)
    if unit is not None:
        documentation(snapshot, unit, "Adds.")
    imports_of(snapshot)
    declarations(snapshot, frozenset())
    for action in (Action.AUTOMATIC_COMPLETION, Action.INVOKED_COMPLETION):
        worth_asking(action, context)
        reader = Completeness(context, classify(action, context, Targets()))
        reader.feed(ANSWER)
        reader.text()


@pytest.mark.parametrize("path", PARSED, ids=lambda path: path.name)
def test_what_is_not_typed_yet_breaks_nothing(path: Path) -> None:
    """The rest of a line, and sometimes of the file, is missing, as while somebody types it."""
    chance = random.Random(f"{SEED} {path.name}")
    text = path.read_text()
    for _ in range(PLACES // len(PARSED) + 1):
        offset = chance.randrange(len(text))
        end = text.find("\n", offset)
        behind = chance.choice((text[end:], text[end:], text[end:], "", "\n);\n"))
        exercise(LANGUAGES[path.suffix], text[:offset] + behind, offset)


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("javascript", "items.map((i) =>|)"),
        ("javascript", "run(t, (c, p) =>\n  |\n);"),
        ("typescript", "const f = (a: A): B =>|\n"),
        ("csharp", "class A { void F() { G(x =>|); } }"),
        ("ruby", "def|"),
        ("java", "class A { Runnable r = () ->|; }"),
        ("rust", "fn f() { let a = |x|"),
        ("php", "<?php $f = fn($x) =>|;"),
        ("python", "def f(|"),
        ("go", "package p\n\nfunc f() {\n\tgo func()|\n}\n"),
        ("cpp", "auto f = [](int a)|;"),
        ("c", f"int {'*' * 3000}f() {{|}}"),
        ("cpp", f"int {'&' * 3000}f() {{|}}"),
        ("c", f"int f{'(' * 2000}|"),
        ("javascript", f"{'(a => ' * 500}|"),
        ("python", f"x = {'[' * 2000}|"),
        ("typescriptreact", f"{'<a>' * 500}|"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_nodes_without_children_and_of_any_depth(language: str, source: str) -> None:
    offset = source.rindex("|")
    exercise(language, source[:offset] + source[offset + 1 :], offset)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_suggestion_begins_with_the_whole_line_that_was_answered(path: Path) -> None:
    """Each line is taken out, and answered with what follows it. `bench/suggestion_ends.py` does
    the same with the files of a whole machine."""
    language, lines = LANGUAGES[path.suffix], lines_of(path)
    numbers = [number for number, line in enumerate(lines) if line.strip()]
    failed = {"at its indentation": list[str](), "at the margin": list[str]()}
    for number in numbers:
        case = case_of(lines, number, language)
        for name, column in zip(failed, (case.indentation, 0), strict=True):
            if not is_whole(case, column):
                failed[name].append(f"{number + 1}: {case.line}")
    most = int(len(numbers) * (1 - LEAST_WHOLE))
    assert all(len(lines) <= most for lines in failed.values()), failed
