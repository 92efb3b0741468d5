"""Action and place to task and limits, as one table over all languages."""

from __future__ import annotations

import pytest

from cato_backend.wire.headers import TASKS_OF_PEOPLE
from cato_lsp.decisions.classify import Action, Assignment, Extent, Targets, classify, worth_asking
from tests.fast.lsp.marked import context_at

AUTOMATIC, INVOKED = Action.AUTOMATIC_COMPLETION, Action.INVOKED_COMPLETION
TARGETS = Targets(11, 22, 33, 44)

BODY, BODY_INVOKED = "generation block 256", "generation block 512"
BLOCK, BLOCK_INVOKED = "completion block 160", "completion block 256"
BELIEVED = "completion believed 160"
STATEMENT = "completion line 64"
TEXT = "completion line 48 to the line end"
MIDDLE = "completion line 32 to the line end"

CASES = [
    # An empty body after a signature.
    ("python", "def f(a):|", AUTOMATIC, BODY),
    ("python", "def f(a):\n    |", AUTOMATIC, BODY),
    ("python", "def f(a):\n    |\n\n\ndef g():\n    pass\n", AUTOMATIC, BODY),
    ("python", 'def f(a):\n    """Adds one."""\n    |\n', AUTOMATIC, BODY),
    ("python", "def f(a):\n    # adds one\n    |\n", INVOKED, BODY_INVOKED),
    ("python", "class A:\n async def f(\n   a,\n ) -> int:\n  |\n", INVOKED, BODY_INVOKED),
    ("python", "x = (1,\ndef f(a):\n    |", AUTOMATIC, BODY),
    ("javascript", "function f(a) {|}", AUTOMATIC, BODY),
    ("javascript", "function f(a) {\n  |\n}\n", AUTOMATIC, BODY),
    ("javascript", "const f = async (a) => {\n  |\n};\n", AUTOMATIC, BODY),
    ("javascript", "function f(a) {\n  |\n\nfunction g() { return 1; }\n", AUTOMATIC, BODY),
    ("javascript", "class A {\n  m(a) {\n    // adds\n    |\n  }\n}\n", AUTOMATIC, BODY),
    ("javascriptreact", "export const A = ({ b }) => {\n  |\n};\n", AUTOMATIC, BODY),
    ("typescript", "export function f(a: number): string {\n  |\n}\n", AUTOMATIC, BODY),
    ("typescript", "class A {\n  private m(a: number): Promise<void> {\n    |", AUTOMATIC, BODY),
    ("typescriptreact", "function A(p: Props) {\n  |\n}\n", INVOKED, BODY_INVOKED),
    ("java", "class A {\n    public int f(int a) {\n        |\n    }\n}\n", AUTOMATIC, BODY),
    ("java", "class A {\n    public int f(int a) throws B {\n        |\n", AUTOMATIC, BODY),
    ("go", "package p\n\nfunc (s *S) F(a int) (int, error) {\n\t|\n}\n", AUTOMATIC, BODY),
    ("go", "package p\n\nfunc F() {\n\t|\n", AUTOMATIC, BODY),
    ("rust", "/// Adds.\nfn f(a: i32) -> i32 {\n    |\n}\n", AUTOMATIC, BODY),
    ("rust", "impl A {\n    pub fn f(&self) -> i32 {\n        |\n", AUTOMATIC, BODY),
    ("c", "static int *f(int a) {\n  |\n}\n", AUTOMATIC, BODY),
    ("c", "int f(int a)\n{\n  |\n}\n", AUTOMATIC, BODY),
    ("cpp", "template <class T>\nvoid A<T>::m() const {\n  |\n}\n", AUTOMATIC, BODY),
    ("csharp", "class A {\n    public int F(int a) {\n        |\n    }\n}\n", AUTOMATIC, BODY),
    ("ruby", "class A\n  def f(a)\n    |\n  end\nend\n", AUTOMATIC, BODY),
    ("ruby", "def f(a)\n  |\n", AUTOMATIC, BODY),
    ("php", "<?php\nfunction f($a) {\n    |\n}\n", AUTOMATIC, BODY),
    ("php", "<?php\nclass A {\n  public function f($a) {\n    |\n  }\n}\n", INVOKED, BODY_INVOKED),
    ("lua", "fn f(a) {\n  |\n", AUTOMATIC, BODY),
    # A comment that asks for code.
    ("python", "# Parse a date from text\n|\n", AUTOMATIC, BODY),
    ("python", "def f(a):\n    b = 1\n    # return the sum of a and b\n    |\n", AUTOMATIC, BODY),
    ("javascript", "/* Write a function\n * that sorts users. */\n|\n", AUTOMATIC, BODY),
    ("go", "package p\n\n// TODO: implement Sum\n|\n", AUTOMATIC, BODY),
    ("rust", "fn f() {\n    let a = 1;\n    // print a\n    |\n}\n", INVOKED, BODY_INVOKED),
    ("ruby", "# sorts the names\n|\n", AUTOMATIC, BODY),
    ("sh", "# create the folder\n|\n", AUTOMATIC, BODY),
    ("python", "# noqa: E501\n|\n", AUTOMATIC, BLOCK),
    ("python", "# Copyright 2026\n|\n", AUTOMATIC, BLOCK),
    ("c", "// ---------\n|\n", AUTOMATIC, BLOCK),
    ("python", "# parse\n\n\n|\n", AUTOMATIC, BLOCK),
    ("python", "# parse\nx = |\n", AUTOMATIC, STATEMENT),
    # Inside of a string or a comment.
    ("python", 'x = "abc|"\n', AUTOMATIC, TEXT),
    ("python", 'x = "abc|\ny = 1\n', AUTOMATIC, TEXT),
    ("python", 'def f():\n    """Returns|\n    """\n    return 1\n', AUTOMATIC, TEXT),
    ("python", 'def f():\n    """Returns|\n    return 1\n', INVOKED, TEXT),
    ("python", "x = 1  # the|\n", AUTOMATIC, TEXT),
    ("python", "# the|\n", INVOKED, TEXT),
    ("python", "x = f'a{|}'\n", AUTOMATIC, STATEMENT),
    ("javascript", "const a = `b|`;\n", AUTOMATIC, TEXT),
    ("javascript", "const a = `b${c.|}`;\n", AUTOMATIC, STATEMENT),
    ("javascript", "/** Returns |\n */\nfunction f() {}\n", AUTOMATIC, TEXT),
    ("typescript", "import a from './|';\n", AUTOMATIC, TEXT),
    ("java", 'String a = "b|";\n', AUTOMATIC, TEXT),
    ("go", "package p\n\nvar a = `b|`\n", AUTOMATIC, TEXT),
    ("rust", "fn f() {\n    let a = \"b|\n}\n", AUTOMATIC, TEXT),
    ("rust", "/// Adds |\nfn f() {}\n", AUTOMATIC, TEXT),
    ("c", "/* the |\nint a;\n", AUTOMATIC, TEXT),
    ("cpp", "auto a = 'b|';\n", AUTOMATIC, TEXT),
    ("csharp", 'var a = $"b|";\n', AUTOMATIC, TEXT),
    ("ruby", "a = 'b|'\n", AUTOMATIC, TEXT),
    ("php", "<?php\n// the |\n", AUTOMATIC, TEXT),
    ("lua", 'x = "a|"\n', AUTOMATIC, TEXT),
    # The middle of an expression.
    ("python", "x = foo(a, |)\n", AUTOMATIC, STATEMENT),
    ("python", "x = foo(a, |\ny = 2\n", AUTOMATIC, STATEMENT),
    ("python", "x = [\n    1,\n    |\n]\n", INVOKED, STATEMENT),
    ("python", "x = | + 1\n", AUTOMATIC, MIDDLE),
    ("python", "foo(|, b)\n", INVOKED, MIDDLE),
    ("javascript", "if (a && |) {\n}\n", AUTOMATIC, MIDDLE),
    ("javascript", "foo(a, |)\n", AUTOMATIC, STATEMENT),
    ("java", "class A { void f() { int a = b.| } }\n", AUTOMATIC, STATEMENT),
    ("go", "package p\n\nfunc f() {\n\ta := |\n}\n", AUTOMATIC, STATEMENT),
    ("rust", "fn f() {\n    let a = |;\n}\n", AUTOMATIC, STATEMENT),
    ("c", "int f(void) {\n  return |;\n}\n", AUTOMATIC, STATEMENT),
    ("cpp", "int a = std::max(b, |);\n", AUTOMATIC, STATEMENT),
    ("csharp", "var a = new List<int>(|);\n", AUTOMATIC, STATEMENT),
    ("php", "<?php\n$a = $b->|;\n", AUTOMATIC, STATEMENT),
    # A statement that has begun, and one that is to begin.
    ("python", "def f():\n    retu|\n", AUTOMATIC, STATEMENT),
    ("python", "import o|\n", INVOKED, BLOCK_INVOKED),
    ("python", "def f():\n    a = 1\n    |\n    return a\n", AUTOMATIC, STATEMENT),
    ("javascript", "function f() {\n  const a = 1;\n  |\n  return a;\n}\n", AUTOMATIC, STATEMENT),
    ("python", "def f():\n    a = 1\n    |\n    return a\n", INVOKED, BLOCK_INVOKED),
    ("python", "def f():\n    a = 1\n    |return a\n", AUTOMATIC, STATEMENT),
    ("javascript", "|const a = 1;\n", AUTOMATIC, STATEMENT),
    ("javascript", "foo(|bar);\n", AUTOMATIC, MIDDLE),
    # The end of a block, and the start of one.
    ("python", "def f():\n    a = 1\n    |\n\nx = 2\n", AUTOMATIC, BLOCK),
    ("python", "for a in b:|\n", AUTOMATIC, BLOCK),
    ("python", "def f(b):\n    if b:\n        |\n    return 1\n", AUTOMATIC, BLOCK),
    ("javascript", "function f() {\n  const a = 1;\n  |\n}\n", AUTOMATIC, BLOCK),
    ("java", "class A {\n    int a;\n    |\n}\n", AUTOMATIC, BLOCK),
    ("go", "package p\n\nfunc f() {\n\tfor {\n\t\t|\n\t}\n}\n", AUTOMATIC, BLOCK),
    ("rust", "fn f(a: i32) {\n    if a > 1 {\n        |\n    }\n}\n", AUTOMATIC, BLOCK),
    ("c", "int f(int a) {\n  if (a) {\n    |\n  }\n}\n", AUTOMATIC, BLOCK),
    ("csharp", "void F() {\n  foreach (var a in b) {\n    |\n  }\n}\n", AUTOMATIC, BLOCK),
    ("ruby", "def f(a)\n  b = 1\n  |\nend\n", AUTOMATIC, BLOCK),
    ("php", "<?php\nfunction f() {\n  $a = 1;\n  |\n}\n", AUTOMATIC, BLOCK),
    ("python", "|", AUTOMATIC, BLOCK),
    ("plaintext", "|", AUTOMATIC, BLOCK),
    # What is asked for by a command does not depend on the place.
    ("python", "def f():\n    retu|\n", Action.SUMMARIZE, "summarization whole 400"),
    ("rust", "fn f() {|}\n", Action.TRANSLATE, "translation whole 2048"),
]  # fmt: skip


def told(assignment: Assignment) -> str:
    limits = assignment.limits
    stop = " to the line end" if limits.stop == ("\n",) else ""
    return f"{assignment.task} {limits.extent} {limits.max_tokens}{stop}"


@pytest.mark.parametrize(("language", "source", "action", "expected"), CASES)
def test_table(language: str, source: str, action: Action, expected: str) -> None:
    assert told(classify(action, context_at(language, source), TARGETS)) == expected


@pytest.mark.parametrize("crlf", ["\r\n", "\r"])
@pytest.mark.parametrize(("language", "source", "action", "expected"), CASES)
def test_line_ends_make_no_difference(
    language: str, source: str, action: Action, expected: str, crlf: str
) -> None:
    context = context_at(language, source.replace("\n", crlf))
    assert told(classify(action, context, TARGETS)) == expected


@pytest.mark.parametrize(
    ("source", "action", "ttft_ms", "e2e_ms"),
    [
        ("x = |", AUTOMATIC, 11, None),
        ("def f():|", AUTOMATIC, 22, None),
        ("x|", Action.SUMMARIZE, None, 33),
        ("x|", Action.TRANSLATE, None, 44),
    ],
)
def test_each_task_has_its_one_target(
    source: str, action: Action, ttft_ms: int | None, e2e_ms: int | None
) -> None:
    assignment = classify(action, context_at("python", source), TARGETS)
    assert (assignment.ttft_ms, assignment.e2e_ms) == (ttft_ms, e2e_ms)


@pytest.mark.parametrize(
    ("source", "action", "expected"),
    [
        ("fo|o", AUTOMATIC, False),
        ("fo|_o", AUTOMATIC, False),
        ("fo|o", INVOKED, True),
        ("foo|)", AUTOMATIC, True),
        ("foo|\nbar", AUTOMATIC, True),
        # In front of a word: an argument before another one, a statement above another one.
        ("foo(|bar)", AUTOMATIC, True),
        ("x = |y", AUTOMATIC, True),
        ("|return x", AUTOMATIC, True),
        ("def f():\n    |return x", AUTOMATIC, True),
    ],
)
def test_inside_of_a_word_only_the_person_asks(source: str, action: Action, expected: bool) -> None:
    assert worth_asking(action, context_at("python", source)) is expected


def test_the_table_covers_every_extent_and_task() -> None:
    seen = {expected.split(" ")[0] for *_, expected in CASES}
    assert seen == {task.value for task in TASKS_OF_PEOPLE}
    extents = {expected.split(" ")[1] for *_, expected in [*CASES, ("", "", BELIEVED)]}
    assert extents == {e.value for e in Extent}


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("python", 'def f():\n    """Returns|\n    """\n', BELIEVED),
        ("python", "# the|\n", BELIEVED),
        ("python", "x = foo(a, |)\n", BELIEVED),
        ("python", "def f():\n    retu|\n", BELIEVED),
        ("python", "def f():\n    a = 1\n    |\n\nx = 2\n", BELIEVED),
        ("python", "for a in b:|\n", BELIEVED),
        # What follows on the line stands there already.
        ("python", "x = | + 1\n", MIDDLE),
    ],
)
def test_where_doubt_ends_what_is_shown_an_answer_goes_on(
    language: str, source: str, expected: str
) -> None:
    context = context_at(language, source)
    assert told(classify(AUTOMATIC, context, TARGETS, doubts=True)) == expected


def test_requested_completions_are_cut_alike_for_a_model_with_log_probabilities() -> None:
    for source in ("x = foo(a, |)\n", "# the|\n"):
        context = context_at("python", source)
        assert classify(INVOKED, context, TARGETS, doubts=True) == classify(
            INVOKED, context, TARGETS
        )
