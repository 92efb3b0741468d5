"""Where a streamed answer ends and what of it is shown, as one table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.wire.headers import Task
from cato_lsp.completion import Completeness
from cato_lsp.completion.fitting import without_repeats
from cato_lsp.decisions.classify import Action, Assignment, Extent, Limits, Targets, classify
from tests.fast.lsp.marked import context_at

# language, source, streamed answer with `¦` where it is enough, what is shown
CASES = [
    # One statement.
    ("python", "x = |", "1\n¦y = 2\n", "1"),
    ("python", "x = |", " 1\n¦y = 2\n", "1"),
    ("python", "x = |", "1", "1"),
    ("python", "x = foo(|", "a,\n¦    b,\n)\ny = 2\n", "a,"),
    ("python", "x = |", "foo(\n    a,\n)\n¦y = 2\n", "foo(\n    a,\n)"),
    ("python", "x = |", "a + \\\n    b\n¦y = 2\n", "a + \\\n    b"),
    ("python", "x = 1|", "\n¦y = 2\n", ""),
    ("python", "x = |", "[1, 2\n3\n3\n3\n¦3\n3\n3\n", ""),
    ("python", "x = |", "foo(\n1, 2\n3\n3\n3\n¦3\n3\n3\n", "foo("),
    ("javascript", "const a = |", "{\n  b: 1,\n};\n¦foo();\n", "{\n  b: 1,\n};"),
    ("javascript", "if |", "(a) {\n¦  b();\n}\n", "(a) {"),
    ("python", "x = |", "1   \n¦y\n", "1"),
    ("go", "func f() {\n\t|\n}\n", "if a {\n        b()\n    }\n}¦\n", "if a {\n\t\tb()\n\t}"),
    ("python", "if a:\n    x = |", "foo(\n\tb,\n    )\n¦", "foo(\n    b,\n    )"),
    # What stands behind the cursor is not shown twice.
    ("python", "foo(a, |)", "b)¦\n", "b"),
    ("python", "foo(a, |)", "bar(b), c)¦\n", "bar(b), c"),
    ("python", "foo(bar(|))", "b)¦, c)\n", "b"),
    ("python", "foo(bar(|)", "b), c)¦\n", "b), c"),
    ("python", "foo(|\n)", "a, b)¦\n", "a, b"),
    ("python", "foo(a, |", "b)\n¦c\n", "b)"),
    ("python", "foo(|, b)", "a, b)¦\n", "a"),
    ("python", "x = | and y", "a and y\n¦", "a"),
    ("python", "x = | and y", "a\n¦", "a"),
    ("javascript", "foo(|);", "a)¦;\n", "a"),
    ("javascript", "foo(() => {|});", " return 1; }¦);\n", " return 1;"),
    ("javascript", "a = b|;", "(c);\n¦", "(c)"),
    ("rust", "fn f() { let a = |; }", "')'; }\n¦", "')'"),
    (
        "python",
        "def f():\n    a = 1\n    |\n    return a + b\n",
        "b = 2\n¦    return a + b\n",
        "b = 2",
    ),
    ("python", "def f():\n    |\n    return a + b\n", "return a + b\n¦", ""),
    # Strings and comments.
    ("python", 'x = "a|"\n', 'bc"¦\n', "bc"),
    ("python", 'x = "a|"\n', 'b\\"c"¦, d\n', 'b\\"c'),
    ("python", 'print("a|\n', 'bc")\n¦x\n', 'bc")'),
    ("python", 'x = "a|"\n', " (b\n¦", " (b"),
    ("python", "# adds (|\n", "a) and b\n¦# more\n", "a) and b"),
    ("javascript", "// it|\n", "'s a }\n¦foo\n", "'s a }"),
    ("python", 'def f():\n    """Adds |\n    """\n', "one.\n¦\n    more", "one."),
    # A body.
    ("python", "def f(a):|", "\n    return a\n\n\n¦def g():\n", "\n    return a"),
    ("python", "def f(a):\n    |", "return a\n\n\n¦def g():\n", "return a"),
    ("python", "def f(a):\n    |", "return a\n\nd¦ef g():\n", "return a"),
    ("python", "def f(a):\n    |", "    return a\nx¦", "return a"),
    ("python", "def f(a):\n|", "    return a\nx¦ = 1\n", "    return a"),
    ("python", "def f(a):\n    |", "\n    return a\nx¦", "return a"),
    (
        "python",
        "def f(a):\n    |",
        "if a:\n        b()\n\n    c()\nd¦",
        "if a:\n        b()\n\n    c()",
    ),
    ("python", "def f(a):\n    |", 'x = """\nz\n"""\n    y()\nd¦', 'x = """\nz\n"""\n    y()'),
    ("python", "class A:\n    def f(self):\n        |\n", "pass\n\n    d¦ef g(self):\n", "pass"),
    ("javascript", "function f(a) {\n  |\n}\n", "return a;\n}¦\n\nf();\n", "return a;"),
    ("javascript", "function f(a) {|}\n", " return a; }¦\n", " return a;"),
    ("javascript", "function f(a) {\n  |", "return a;\n}\n¦\nf();\n", "return a;\n}"),
    ("javascript", "foo(function (a) {\n  |", "b();\n});\n¦c();\n", "b();\n});"),
    ("javascript", "class A {\n  m(a) {\n    |\n}\n", "b();\n  }\n¦\n  n() {\n", "b();\n  }"),
    (
        "javascript",
        "function f(a) {\n  |\n}\n",
        "if (a) {\n    b();\n  }\n  c();\n}¦\n",
        "if (a) {\n    b();\n  }\n  c();",
    ),
    ("rust", "fn f() -> char {\n    |\n}\n", "'}'\n}¦\n", "'}'"),
    ("go", "package p\n\nfunc f() int {\n	|\n}\n", "return 1\n}¦\n\nfunc g", "return 1"),
    ("ruby", "def f(a)\n  |\nend\n", "a + 1\ne¦nd\n\ndef g\n", "a + 1"),
    ("ruby", "def f(a)\n  |\n", "a + 1\nend\n¦\ndef g\n", "a + 1\nend"),
    ("c", "int f(int a)\n{\n  |\n}\n", "return a;\n}¦\n", "return a;"),
    ("python", "for a in b:|", "\n    c(a)\nd¦()\n", "\n    c(a)"),
    # What a comment asks for, and other blocks at the outermost level.
    (
        "python",
        "# parse a date\n|\n",
        "def f():\n    return 1\n\nx = 1\n¦",
        "def f():\n    return 1",
    ),
    (
        "python",
        "# parse a date\n|\n",
        "@a\ndef f():\n    return 1\ndef g",
        "@a\ndef f():\n    return 1",
    ),
    (
        "python",
        "# parse a date\n|\n",
        "@a\ndef f():\n    return 1\ndef g():\n¦",
        "@a\ndef f():\n    return 1",
    ),
    (
        "javascript",
        "// parse a date\n|\n",
        "function f() {\n  a();\n}\n\nfunction g",
        "function f() {\n  a();\n}",
    ),
    # A line that closes a block and opens the next.
    ("javascript", "if (a) {\n  b();\n|\n  c();\n}\n", "} else {\n¦  c();\n", "} else {"),
    ("java", "try {\n  b();\n|\n  c();\n}\n", "} catch (E e) {\n¦  c();\n", "} catch (E e) {"),
    ("java", "try {\n  b();\n|\n  c();\n}\n", "} finally {\n¦  c();\n", "} finally {"),
    ("typescript", "f(\n  a: A,\n|\n  b();\n}\n", "): T {\n¦  b();\n", "): T {"),
    ("javascript", "if (a) {\n  b();\n  |\n}\n", "c();\n}¦ else {\n", "c();"),
    ("javascript", "if (a) {\n  b();\n|\n}\n", "}\n¦c();\n", ""),
    # Brackets that close nothing: patterns, literals, prose.
    ("shellscript", "case $1 in\n  |\nesac\n", "stop) kill ;;\n", "stop) kill ;;"),
    ("shellscript", "f() {\n  |\n}\n", "awk '{ print }'\n", "awk '{ print }'"),
    ("javascript", "f(|);", "/\\)/g)\n¦", "/\\)/g"),
    ("javascript", "a = [\n  |\n]", '/\\]"/,\n¦', '/\\]"/,'),
    ("javascript", "() => {\n  return |\n}", '/}"/.test(x)\n¦', '/}"/.test(x)'),
    ("javascript", "f(`a${g(|)}`);", "1)¦}`);\n", "1"),
    ("javascript", "if (a) {\n  f(`${b|\n}\n", "c}`)\n¦", "c}`)"),
    ("typescriptreact", "a = <u>\n  {b(() => (\n    |\n  ))}\n</u>;\n", "c)¦\n", "c"),
    ("ruby", "f(|)\n", "?), %r{\\)}, /\\)/)\n¦", "?), %r{\\)}, /\\)/"),
    ("lua", "f(|)\n", "')')\n¦", "')'"),
    ("c", "f(|);", "')');\n¦", "')'"),
    ("rust", "f(|);", "b')', r#\")\"#);\n¦", "b')', r#\")\"#"),
    ("markdown", "It works |\n", "(mostly) :) and so on :]\n¦", "(mostly) :) and so on :]"),
    ("python", "def f():\n    |\n", "# a) first\n", "# a) first"),
    # Indentation that is missing at the cursor, and that of the file.
    ("python", "if a:\n    if b:\n    |\n", "    c()\n", "    c()"),
    ("python", "if a:\n    if b:\n    |\n", "        c()\n", "    c()"),
    ("python", "if a:\n    if b:\n        |\n", "        c()\nd¦()", "c()"),
    ("python", "if a:\n\tb()\nif c:|", "\n    d()\ne¦", "\n\td()"),
    ("go", "func f() {\n\ta()\n}\n\nfunc g() {|}\n", "\n    b()\n}¦", "\n\tb()"),
    ("javascript", "if (a) {\n  b()\n}\nif (c) {|}\n", "\n\td()\n}¦", "\n  d()"),
    ("python", "x = |", "    # aligned\n¦", "    # aligned"),
    # What ends a block is often followed by its like.
    ("c", "#if A\n#if B\n|\n#endif\n", "#endif\n¦#endif\n", "#endif"),
    ("c", "f() {\n  step(s);\n  |\n  step(s);\n", "step(s);\n¦  step(s);\n", "step(s);"),
    ("c", "f() {\n  |\n  step(s);\n  step(s);\n", "step(s);\n¦  step(s);\n", "step(s);"),
    ("c", "f() {\n  put((a >> 2|\n  b();\n}\n", ") & 3, c);\n¦  b();\n", ") & 3, c);"),
    ("python", "if a:\n    |\nreturn x\n", "return x\nr¦eturn x\n", "return x"),
    # Loops of the model.
    (
        "python",
        "def f():\n    |",
        "a()\n    b()\n    b()\n    b()\n¦    b()\n",
        "a()\n    b()",
    ),
    (
        "python",
        "def f():\n    |",
        "a()\n    b()\n    a()\n    b()\n    a()\n    b()\n¦    a()\n",
        "a()\n    b()",
    ),
    ("python", "def f():\n    |", "\n\n\n¦\n\n", ""),
]


def completeness(language: str, source: str, max_lines: int = 40) -> Completeness:
    context = context_at(language, source)
    assignment = classify(Action.AUTOMATIC_COMPLETION, context, Targets())
    return Completeness(context, assignment, max_lines=max_lines)


def streamed(detector: Completeness, answer: str) -> str | None:
    """Feeds single characters; returns what was fed when it was enough."""
    for i, character in enumerate(answer):
        if detector.feed(character):
            return answer[: i + 1]
    return None


@pytest.mark.parametrize(("language", "source", "answer", "shown"), CASES)
def test_table(language: str, source: str, answer: str, shown: str) -> None:
    detector = completeness(language, source)
    enough, mark, rest = answer.partition("¦")
    assert streamed(detector, enough + rest) == (enough if mark else None)
    assert detector.text() == shown


@pytest.mark.parametrize(("language", "source", "answer", "shown"), CASES)
def test_pieces_of_any_size_show_the_same(
    language: str, source: str, answer: str, shown: str
) -> None:
    stops, answer = "¦" in answer, answer.replace("¦", "")
    for size in (2, 3, 7, len(answer)):
        detector = completeness(language, source)
        pieces = [answer[i : i + size] for i in range(0, len(answer), size)]
        assert any(map(detector.feed, pieces)) is stops
        assert detector.text() == shown


@pytest.mark.parametrize(("language", "source", "answer", "shown"), CASES)
def test_carriage_returns_change_nothing(
    language: str, source: str, answer: str, shown: str
) -> None:
    detector = completeness(language, source)
    streamed(detector, answer.replace("¦", "").replace("\n", "\r\n"))
    assert detector.text() == shown


def test_no_more_than_the_lines_asked_for() -> None:
    detector = completeness("python", "def f():\n    |", max_lines=3)
    assert streamed(detector, "a1\n    a2\n    a3\n    a4\n") == "a1\n    a2\n    a3\n"
    assert detector.text() == "a1\n    a2\n    a3"


def test_a_fragment_of_a_line_is_dropped_where_the_limit_cut_it() -> None:
    detector = completeness("python", "def f():\n    |")
    detector.feed("a = 1\n    b = fo")
    assert detector.text() == "a = 1\n    b = fo"
    assert detector.text(truncated=True) == "a = 1"


def test_a_single_line_is_shown_even_where_the_limit_cut_it() -> None:
    detector = completeness("python", "x = |")
    detector.feed("foo.b")
    assert detector.text(truncated=True) == "foo.b"


# In front of code: language, source, answer, what is shown
IN_FRONT = [
    # A line of its own above the one that is there.
    ("python", "def f():\n    |return x\n", "x = 1\n    return x\n", "x = 1\n    "),
    ("python", "    |return x\n", "x = g(\n        1,\n    )\n", "x = g(\n        1,\n    )\n    "),
    ("python", "|import os\n", "import re\nimport os\n", "import re\n"),
    ("javascript", "[\n  |2,\n]", "1,\n  2,\n", "1,\n  "),
    ("python", "def f():\n    |return x\n", "return x\n", ""),
    # Nothing runs into the word.
    ("javascript", "  |foo();\n", "await ", "await "),
    ("javascript", "  |foo();\n", "await", ""),
    ("python", "foo(|bar)", "a, bar)\n", "a, "),
    ("python", "if |x:\n", "not x:\n", "not "),
    ("python", "x = |y\n", "-", "-"),
    ("python", "x = |y\n", "z\n", ""),
]  # fmt: skip


@pytest.mark.parametrize(("language", "source", "answer", "shown"), IN_FRONT)
def test_in_front_of_code(language: str, source: str, answer: str, shown: str) -> None:
    detector = completeness(language, source)
    streamed(detector, answer)
    assert detector.text() == shown


SOURCES = [(language, source) for language, source, _, _ in CASES]
TOKENS = [*"abx=,;:()[]{}\"'`/*#\\ \n\n", "    ", "def f():", "return", "end", '"""', "😀", "\r\n"]


@given(st.sampled_from(SOURCES), st.lists(st.sampled_from(TOKENS)).map("".join), st.text())
def test_once_it_is_enough_nothing_changes(place: tuple[str, str], answer: str, more: str) -> None:
    detector = completeness(*place)
    if streamed(detector, answer) is not None:
        shown = detector.text()
        assert detector.feed(more)
        assert detector.text() == shown
    assert detector.text() == detector.text().rstrip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[100, 100, 100, 100", "[100"),
        ("the values of the values of the values", "the values of the values of the values"),
        ("values of the values of the values of the ", "values of the"),
        ("[0, 0, 0]", "[0, 0, 0]"),
        ("1, 2, 3", "1, 2, 3"),
        ("rows[0], rows[1], rows[2]", "rows[0], rows[1], rows[2]"),
    ],
)
def test_repeats_up_to_the_end_of_a_line_are_not_shown(text: str, shown: str) -> None:
    assert without_repeats(text) == shown


@pytest.mark.parametrize(
    ("language", "source", "answer", "shown"),
    [
        # Behind the block, where nothing in the document closes it.
        ("python", "def f():\n    if a:\n        |", "b()\n    c()\n", "b()\n    c()"),
        ("c", "f() {\n  if (a) {\n    |\n", "b();\n  }\n  c();\n}\n", "b();\n  }\n  c();\n}"),
        # The document closes it.
        ("c", "f() {\n  if (a) {\n    |\n  }\n}\n", "b();\n  }\n  c();\n", "b();"),
        ("c", "#if A\n  a();\n  |\n#endif\n", "b();\n#endif\nc();\n", "b();"),
        # A gap, and words that end blocks.
        ("python", "def f():\n    |", "a()\n\n\ndef g():\n    b()\n", "a()"),
        ("ruby", "def f\n  if a\n    |\n  end\nend\n", "b\n  end\nend\n", "b"),
        ("sh", "if a; then\n  b\n  |\nfi\n", "c\nfi\nd\n", "c"),
    ],
)
def test_where_doubt_ends_it_a_block_does_not(
    language: str, source: str, answer: str, shown: str
) -> None:
    context = context_at(language, source)
    limits = Limits(160, Extent.BELIEVED)
    completeness = Completeness(context, Assignment(Task.COMPLETION, limits))
    completeness.feed(answer)
    assert completeness.text() == shown
