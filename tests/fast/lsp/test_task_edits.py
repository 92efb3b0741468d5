"""From a task's result to edits of its document, also of a later version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.wire.tasks import TaskKind
from cato_lsp.backend.task_answers import UnitAnswer
from cato_lsp.syntax import open_document
from cato_lsp.syntax.units import Unit, relocated, unit_at
from cato_lsp.tasks.docstrings import Insertion
from cato_lsp.tasks.edits import (
    Placed,
    applied,
    before_cut,
    edits_of,
    indented,
    with_imports,
)
from cato_lsp.tasks.edits import test_file_name as name_of_tests
from cato_lsp.tasks.selection import TextRange, select
from cato_lsp.text.snapshot import Snapshot

TEXT = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        return 2\n"
FIXED = "def f(self):\n    if self:\n        return 3\n    return 1\n"


def snapshot_of(text: str, language: str = "python") -> Snapshot:
    return open_document("file:///x", language, 1, text).snapshot()


def unit_of(text: str, words: str) -> Unit:
    unit = unit_at(snapshot_of(text), text.index(words))
    assert unit is not None
    return unit


def result(kind: TaskKind, unit: Unit, answer: str, text: str, before: str = "") -> str:
    """The text after the answer; `before`: the text of which the unit was, where it was another."""
    then, now = snapshot_of(before or text), snapshot_of(text)
    placed = edits_of(kind, [unit], [UnitAnswer("", answer)], then, now)
    return applied(text, placed.edits)


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
    now = relocated(unit, snapshot_of(TEXT), snapshot_of(text))
    assert now is not None
    assert text[now.start : now.end] == unit.text
    documented = result(TaskKind.DOCUMENTATION, unit, "Says two.", text, TEXT)
    assert documented == text.replace(
        "        return 2", '        """Says two."""\n        return 2'
    )


@pytest.mark.parametrize("text", ["", TEXT.replace("return 2", "return 3"), f"\n{TEXT}\n{TEXT}"])
def test_a_unit_that_was_edited_or_doubled_gets_no_edit(text: str) -> None:
    unit = unit_of(TEXT, "return 2")
    placed = edits_of(
        TaskKind.FIX, [unit], [UnitAnswer("g", "x")], snapshot_of(TEXT), snapshot_of(text)
    )
    assert placed == Placed((), ("the code of g was changed meanwhile: ask again",))


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        # Text was typed at the end, or at the beginning, of the unit's last or first line.
        ("x = 1\nprint(x)\n", "print(x)", "x = 1\nprint(x) + 1\n"),
        ("x = 1\nprint(x)\n", "print(x)", "x = 1\ny = print(x)\n"),
        # It is only found in the middle of a word.
        ("a\nb = pritn\n", "pritn", "a\nb = 2\nxpritny\n"),
        # It was one of two, and is gone: the other one is not it.
        ("f()\ng()\nf()\n", "f()", "h()\ng()\nf()\n"),
    ],
)
def test_a_unit_is_not_taken_for_other_text(before: str, words: str, after: str) -> None:
    start = before.index(words)
    unit = Unit("", "selection", words, start, start + len(words))
    assert relocated(unit, snapshot_of(before), snapshot_of(before)) == unit
    assert relocated(unit, snapshot_of(before), snapshot_of(after)) is None


@pytest.mark.parametrize("words", ["f()\n", "f()"])
def test_what_stands_on_other_lines_may_change(words: str) -> None:
    before, after = "a\nf()\nb\n", "new\na\nf()\nc\n"
    unit = Unit("", "selection", words, 2, 2 + len(words))
    now = relocated(unit, snapshot_of(before), snapshot_of(after))
    assert now is not None
    assert after[now.start : now.end] == words


def test_one_changed_unit_leaves_the_edits_of_the_others() -> None:
    units = [unit_of(TEXT, "return 1"), unit_of(TEXT, "return 2")]
    answers = [UnitAnswer("f", "Says one."), UnitAnswer("g", "Says two.")]
    text = TEXT.replace("return 1", "return 3")
    placed = edits_of(TaskKind.DOCUMENTATION, units, answers, snapshot_of(TEXT), snapshot_of(text))
    assert applied(text, placed.edits).count('"""Says two."""') == 1
    assert placed.left_out == ("the code of f was changed meanwhile: ask again",)


@pytest.mark.parametrize("kind", [TaskKind.FIX, TaskKind.DOCUMENTATION, TaskKind.GENERATION])
def test_an_answer_with_a_problem_is_not_applied(kind: TaskKind) -> None:
    answer = UnitAnswer("f", "def f(self):\n    return", "the answer was cut off")
    placed = edits_of(
        kind, [unit_of(TEXT, "return 1")], [answer], snapshot_of(TEXT), snapshot_of(TEXT)
    )
    assert placed == Placed()


@pytest.mark.parametrize(
    "answer", ["There is no error in this code.", "def f(self):\n    return g(1,"]
)
def test_a_fix_that_brings_syntax_errors_is_not_applied(answer: str) -> None:
    unit = unit_of(TEXT, "return 1")
    placed = edits_of(
        TaskKind.FIX, [unit], [UnitAnswer("f", answer)], snapshot_of(TEXT), snapshot_of(TEXT)
    )
    assert not placed.edits
    assert placed.left_out == ("the fix of f would bring new syntax errors: it is not applied",)


def test_a_fix_may_leave_the_syntax_errors_that_were_there() -> None:
    text = f"{TEXT}x = (\n"
    fixed = result(TaskKind.FIX, unit_of(text, "return 1"), "def f(self):\n    return 3", text)
    assert fixed == text.replace("return 1", "return 3")


def test_a_unit_without_an_answer_is_left_alone() -> None:
    units = [unit_of(TEXT, "return 1"), unit_of(TEXT, "return 2")]
    answers = [UnitAnswer("f", ""), UnitAnswer("g", "Says two.")]
    placed = edits_of(TaskKind.DOCUMENTATION, units, answers, snapshot_of(TEXT), snapshot_of(TEXT))
    assert applied(TEXT, placed.edits).count('"""') == 2


def test_generated_code_stands_below_at_the_same_indentation() -> None:
    text = "def f():\n    # return one\n"
    unit = Unit("", "code", text.rstrip(), 0, len(text) - 1)
    answer = "if True:\n    return 1"
    assert result(TaskKind.GENERATION, unit, answer, text) == (
        "def f():\n    # return one\n    if True:\n        return 1\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The indentation of the comment where the line has none.
        ("def f(xs):\n    # sort\n|\nx = 1\n", "def f(xs):\n    # sort\n    xs.sort()\nx = 1\n"),
        ("def f(xs):\n    # sort\n\n\n|", "def f(xs):\n    # sort\n\n\n    xs.sort()"),
        # That of the line where it has one.
        ("def f(xs):\n    |\n", "def f(xs):\n    xs.sort()\n"),
        ("def f(xs):\n\t# sort\r\n|\r\n", "def f(xs):\n\t# sort\r\n\txs.sort()\r\n"),
    ],
)
def test_generated_code_takes_the_place_of_a_blank_line(text: str, expected: str) -> None:
    at, text = text.index("|"), text.replace("|", "")
    snapshot = snapshot_of(text)
    selection = select(snapshot, TaskKind.GENERATION, TextRange(at, at), "sort xs")
    assert result(TaskKind.GENERATION, selection.units[0], "xs.sort()", text) == expected


@pytest.mark.parametrize("kind", [TaskKind.EXPLANATION, TaskKind.TESTS, TaskKind.TRANSLATION])
def test_what_has_no_place_in_the_document_makes_no_edits(kind: TaskKind) -> None:
    unit, answer = unit_of(TEXT, "return 1"), UnitAnswer("f", "x")
    assert edits_of(kind, [unit], [answer], snapshot_of(TEXT), snapshot_of(TEXT)) == Placed()


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


@pytest.mark.parametrize(
    ("language", "kept", "cut"),
    [
        (
            "python",
            "def test_a():\n    assert f(1) == (\n        2\n    )",
            "def test_b():\n    asse",
        ),
        ("python", "def test_a():\n    assert f(1)", "@pytest.mark.slow\ndef test_b(x, y"),
        ("python", "class TestF:\n    def test_a(self):\n        pass", 'TEXT = """\nnot closed'),
        (
            "javascript",
            "test('a', () => {\n  assert.equal(f(1), 2);\n});",
            "test('b', () => {\n  as",
        ),
        ("go", "package p\n\nfunc TestA(t *testing.T) {\n}", "func TestB(t *testing.T) {\n\tif f("),
        ("rust", "#[test]\nfn a() {\n    f();\n}", "#[test]\nfn b() {\n    assert_eq!(f("),
        (
            "python",
            "class TestF:\n    def test_a(self):\n        assert f(1)",
            "    def test_b(self):\n        x = f(2)\n        asse",
        ),
        ("python", "def test_a():\n    assert f(1)\n    assert f(2)", "    assert f("),
        (
            "python",
            "class TestF:\n    def test_a(self):\n        x = f(1)\n        assert x",
            '        """',
        ),
    ],
)
def test_what_stands_before_a_cut_is_whole(language: str, kept: str, cut: str) -> None:
    assert before_cut(f"{kept}\n\n{cut}", language) == f"{kept}\n"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "import pytest\n\n\ndef test_a():\n    assert f("),
        ("python", "import pytest\n\n\nclass TestF:\n    def test_a(self):\n        assert f("),
        ("java", "import p.F;\n\nclass FTest {\n    @Test void a() {\n        f("),
        ("brainfuck", "+++\n\n+++"),
        ("python", ""),
    ],
)
def test_nothing_is_kept_of_tests_whose_first_one_is_cut(language: str, text: str) -> None:
    assert before_cut(text, language) == ""
