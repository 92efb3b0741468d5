"""What code a fix is about where no function or class is around the place."""

from __future__ import annotations

import pytest

from cato_backend.wire.tasks import Diagnostic, TaskKind
from cato_lsp.backend.task_answers import UnitAnswer
from cato_lsp.syntax import open_document
from cato_lsp.tasks.edits import applied, edits_of
from cato_lsp.tasks.jobs import Job, request_for
from cato_lsp.tasks.selection import MOST_FIXED_CHARS, TextRange, select
from cato_lsp.text.snapshot import Snapshot

TEXT = "x = [\n    1,\n    2,\n]\npritn(x)\n\n\ndef f():\n    return x\n"


def snapshot_of(text: str, language: str = "python") -> Snapshot:
    return open_document("file:///demo", language, 1, text).snapshot()


def fixed_text(text: str, start: int, end: int, language: str = "python") -> str:
    (unit,) = select(snapshot_of(text, language), TaskKind.FIX, TextRange(start, end)).units
    assert text[unit.start : unit.end] == unit.text
    return unit.text


@pytest.mark.parametrize(
    ("words", "length", "fixed"),
    [
        ("pritn", 5, "pritn(x)"),
        ("(x)", 0, "pritn(x)"),
        ("2,", 1, "x = [\n    1,\n    2,\n]"),
        ("]\npritn", 4, "x = [\n    1,\n    2,\n]\npritn(x)"),
        ("return", 6, "def f():\n    return x"),
        ("]\n", 2, "x = [\n    1,\n    2,\n]"),
    ],
)
def test_a_fix_is_about_whole_statements(words: str, length: int, fixed: str) -> None:
    at = TEXT.index(words)
    assert fixed_text(TEXT, at, at + length) == fixed


def test_without_a_grammar_it_is_about_whole_lines() -> None:
    text = "first\nsecond line\nthird\n"
    at = text.index("line")
    assert fixed_text(text, at, at + 2, "plaintext") == "second line"


@pytest.mark.parametrize("language", ["python", "plaintext"])
def test_a_place_on_a_blank_line_is_about_the_code_above_it(language: str) -> None:
    text = "x = 1\n\n\n"
    assert fixed_text(text, len(text) - 1, len(text) - 1, language).strip() == "x = 1"
    assert fixed_text(f"\n\n{text}", 0, 0, language).strip() == "x = 1"


def test_what_is_said_of_a_blank_line_is_told() -> None:
    snapshot = snapshot_of("x = f(\n\n")
    at = len(snapshot.text) - 1
    selection = select(snapshot, TaskKind.FIX, TextRange(at, at))
    said = Diagnostic(2, "unexpected end")
    job = Job(TaskKind.FIX, selection, snapshot, None, "id", 0.0, (said,))
    assert request_for(job).units[0].diagnostics == (said,)


def test_a_statement_that_is_too_long_is_fixed_in_its_lines() -> None:
    rows = "".join(f"    {number},\n" for number in range(MOST_FIXED_CHARS // 5))
    text = f"x = [\n{rows}]\n"
    at = text.index("    500,")
    assert fixed_text(text, at + 4, at + 7) == "    500,"


def test_the_fixed_statement_takes_the_place_of_all_of_it() -> None:
    snapshot, at = snapshot_of(TEXT), TEXT.index("pritn")
    selection = select(snapshot, TaskKind.FIX, TextRange(at, at + 5))
    answers = [UnitAnswer("", "print(x)")]
    placed = edits_of(TaskKind.FIX, selection.units, answers, snapshot, snapshot)
    assert applied(TEXT, placed.edits) == TEXT.replace("pritn", "print")
