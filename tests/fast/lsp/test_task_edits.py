"""From a task's result to edits of its document, also of a later version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.wire.tasks import TaskKind
from cato_lsp.syntax import open_document
from cato_lsp.syntax.units import Unit, unit_at
from cato_lsp.tasks.docstrings import Insertion
from cato_lsp.tasks.edits import (
    Outdated,
    applied,
    edits_of,
    indented,
    with_imports,
)
from cato_lsp.tasks.edits import test_file_name as name_of_tests
from cato_lsp.tasks.selection import relocated
from cato_lsp.text.snapshot import Snapshot

TEXT = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        return 2\n"
FIXED = "def f(self):\n    if self:\n        return 3\n    return 1\n"


def snapshot_of(text: str, language: str = "python") -> Snapshot:
    return open_document("file:///x", language, 1, text).snapshot()


def unit_of(text: str, words: str) -> Unit:
    unit = unit_at(snapshot_of(text), text.index(words))
    assert unit is not None
    return unit


def result(kind: TaskKind, unit: Unit, answer: str, text: str) -> str:
    return applied(text, edits_of(kind, [unit], [answer], snapshot_of(text)))


def test_a_fix_keeps_the_indentation_and_all_around_it() -> None:
    unit = unit_of(TEXT, "return 1")
    assert result(TaskKind.FIX, unit, FIXED, TEXT) == (
        "class A:\n    def f(self):\n        if self:\n            return 3\n        return 1\n\n"
        "    def g(self):\n        return 2\n"
    )


@given(st.text("ab \n#", max_size=40), st.text("ab \n#", max_size=40))
def test_a_unit_is_found_again_where_it_stands_alone(before: str, after: str) -> None:
    text = f"{before}\n{TEXT}\n{after}"
    unit = unit_of(TEXT, "return 2")
    now = relocated(unit, snapshot_of(text))
    assert now is not None
    assert text[now.start : now.end] == unit.text
    documented = result(TaskKind.DOCUMENTATION, unit, "Says two.", text)
    assert documented == text.replace(
        "        return 2", '        """Says two."""\n        return 2'
    )


@pytest.mark.parametrize("text", ["", TEXT.replace("return 2", "return 3"), f"\n{TEXT}\n{TEXT}"])
def test_a_unit_that_was_edited_or_doubled_gets_no_edit(text: str) -> None:
    unit = unit_of(TEXT, "return 2")
    with pytest.raises(Outdated, match="the code of g was changed meanwhile"):
        edits_of(TaskKind.FIX, [unit], ["x"], snapshot_of(text))


def test_a_unit_without_an_answer_is_left_alone() -> None:
    units = [unit_of(TEXT, "return 1"), unit_of(TEXT, "return 2")]
    edits = edits_of(TaskKind.DOCUMENTATION, units, ["", "Says two."], snapshot_of(TEXT))
    assert applied(TEXT, edits).count('"""') == 2


def test_generated_code_stands_below_at_the_same_indentation() -> None:
    text = "def f():\n    # return one\n"
    unit = Unit("", "code", text.rstrip(), 0, len(text) - 1)
    answer = "if True:\n    return 1"
    assert result(TaskKind.GENERATION, unit, answer, text) == (
        "def f():\n    # return one\n    if True:\n        return 1\n"
    )


@pytest.mark.parametrize("kind", [TaskKind.EXPLANATION, TaskKind.TESTS, TaskKind.TRANSLATION])
def test_what_has_no_place_in_the_document_makes_no_edits(kind: TaskKind) -> None:
    assert edits_of(kind, [unit_of(TEXT, "return 1")], ["x"], snapshot_of(TEXT)) == ()


@given(st.lists(st.integers(0, 30), min_size=2, max_size=8, unique=True), st.booleans())
def test_edits_are_applied_as_one_after_the_other_from_the_end(
    places: list[int], crlf: bool
) -> None:
    text = ("abcd\r\n" if crlf else "abcde\n") * 6
    ends = sorted(places)
    edits = [Insertion(a, b, f"<{a}\n>") for a, b in zip(ends[::2], ends[1::2], strict=False)]
    expected = text
    for edit in reversed(edits):
        new = edit.text.replace("\n", "\r\n") if crlf else edit.text
        expected = expected[: edit.start] + new + expected[edit.end :]
    assert applied(text, edits) == expected


def test_indentation_replaces_what_lines_have_in_common() -> None:
    assert indented("  a\n    b\n", "\t") == "\ta\n\t  b"


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        ("sums.py", "python", "test_sums.py"),
        ("sums.go", "go", "sums_test.go"),
        ("sums.ts", "typescript", "sums.test.ts"),
        ("Sums.java", "java", "SumsTest.java"),
        ("sums.rb", "ruby", "sums_test.rb"),
        ("Makefile", "makefile", "Makefile_test"),
    ],
)
def test_the_file_of_tests_is_called_as_usual(name: str, language: str, expected: str) -> None:
    assert name_of_tests(name, language) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def test_f():\n    f()", "from sums import f\n\ndef test_f():\n    f()"),
        ("from your_module import f\nf()", "from sums import f\nf()"),
        ("from a.b import g, f\nf()", "from sums import g, f\nf()"),
        (
            "def f():\n    pass\n\ndef test_f():\n    f()",
            "def f():\n    pass\n\ndef test_f():\n    f()",
        ),
        ("def test_g():\n    g()", "def test_g():\n    g()"),
    ],
)
def test_tests_import_what_they_test(text: str, expected: str) -> None:
    assert with_imports(text, ["f"], "sums.py", "python") == expected
    assert with_imports(text, ["f"], "sums.go", "go") == text
