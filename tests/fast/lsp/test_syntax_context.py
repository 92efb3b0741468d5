"""What a context says beside what `classify` makes of it, and that it can be had anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Tree

from cato_lsp.completion import Completeness
from cato_lsp.decisions.classify import Action, Targets, classify
from cato_lsp.decisions.window import window
from cato_lsp.syntax import Rest, open_document, syntax_context
from cato_lsp.syntax.parsing import REST, BoundedParse, Patience, settled
from cato_lsp.syntax.units import unit_at
from cato_lsp.text import Change, Encoding, Position, Range
from tests.fast.lsp.document_model import PIECES
from tests.fast.lsp.marked import context_at

LANGUAGES = (
    *("python", "javascript", "javascriptreact", "typescript", "typescriptreact", "java", "go"),
    *("rust", "c", "cpp", "csharp", "ruby", "php", "plaintext"),
)

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("python", "foo(|)", {"in_arguments": True, "unclosed": 0, "rest": Rest.CLOSERS}),
    ("python", "foo(|", {"in_arguments": True, "unclosed": 1, "rest": Rest.NOTHING}),
    ("python", "x = (|", {"in_arguments": False, "in_expression": True}),
    ("python", "if (|", {"in_arguments": False, "in_expression": True}),
    ("python", "x = [a(1), |", {"in_arguments": False, "in_expression": True, "unclosed": 1}),
    ("python", "foo('(', |", {"unclosed": 1}),
    ("python", "foo(  # (\n    |\n)\n", {"in_arguments": True, "unclosed": 0}),
    ("python", "class A:\n    def f(self):\n        |", {"floor": 5, "indentation": "        "}),
    ("python", "if a:\n\t|", {"floor": 4, "indentation": "\t"}),
    ("python", "def f():\n    if a:|", {"floor": 5}),
    ("python", "x = 1\ny = )|\n", {"erroneous": True}),
    ("python", "x = )\n\n\ndef f():\n    y = |1\n", {"erroneous": False}),
    ("javascript", "function f() {\n  if (a) {|\n", {"unclosed": 2, "floor": 3}),
    ("javascript", "f() {\n  if (a) {\n    |\n  }\n}\n", {"unclosed": 0, "block_end": True}),
    ("javascript", "function f() {\n  if (a) {\n    |\n}\n", {"unclosed": 1}),
    ("javascript", "const a = /[(]/.test(|", {"unclosed": 1, "in_arguments": True}),
    ("rust", "fn f<'a>(b: &'a str) { g('(', |", {"unclosed": 2}),
    ("go", "package p\nfunc f() {\n\ta := `(\n(`\n\tg(|\n}\n", {"unclosed": 1}),
    ("typescript", "let a: str|ing;\n", {"in_string": False}),
    ("c", "int a\n/*\n" + "a b\n" * 900 + "c|\n*/\n", {"in_comment": True}),
    ("plaintext", "it's (|", {"in_string": False, "unclosed": 1, "parsed": False}),
]  # fmt: skip


@pytest.mark.parametrize(("language", "source", "expected"), CASES)
def test_fields(language: str, source: str, expected: dict[str, Any]) -> None:
    context = context_at(language, source)
    assert {name: getattr(context, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("language", "source", "scopes"),
    [
        (
            "python",
            "class A:\n    def f(self):\n        x = 1\n        |\n",
            ["method f", "class A"],
        ),
        ("python", "class A:\n    def f(self):\n        x = 1\n    |\n", ["class A"]),
        ("python", "class A:\n    def f(self):\n        x = 1\n|\n", []),
        ("javascript", "class A {\n  m() {\n    |\n  }\n}\n", ["method m", "class A"]),
        ("javascript", "const f = () => {\n  |\n};\n", ["function f"]),
        ("javascript", "function f() {\n  x = 1;\n  |", ["function f"]),
        ("javascript", "function f() {\n}\n|", []),
        ("java", "class A {\n  A() {\n    |\n  }\n}\n", ["method A", "class A"]),
        ("go", "package p\n\nfunc (s S) F() {\n\t|\n}\n", ["method F"]),
        ("rust", "impl A {\n  fn f() {\n    |\n  }\n}\n", ["method f", "class A"]),
        ("c", "int **f(int a) {\n  |\n}\n", ["function f"]),
        ("cpp", "int &A::f(int a) {\n  |\n}\n", ["function A::f"]),
        ("csharp", "class A {\n  int B { get { | } }\n}\n", ["method get", "class A"]),
        ("ruby", "module A\n  def self.f\n    |\n  end\nend\n", ["method f", "class A"]),
        ("php", "<?php\nclass A {\n  function f() {\n    |\n  }\n}\n", ["method f", "class A"]),
    ],
)
def test_scopes(language: str, source: str, scopes: list[str]) -> None:
    context = context_at(language, source)
    assert [f"{scope.kind} {scope.name}" for scope in context.scopes] == scopes


def test_the_wish_is_the_text_of_the_comment() -> None:
    assert (
        context_at("python", "# Parse a date\n# from text.\n|").wish == "Parse a date\nfrom text."
    )
    assert context_at("c", "/*\n * Parse a date.\n */\n|").wish == "Parse a date."


@given(
    st.sampled_from(LANGUAGES),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.integers(0, 200),
    st.text(max_size=30),
)
def test_any_text_and_place_can_be_asked_for(
    language: str, text: str, offset: int, answer: str
) -> None:
    snapshot = open_document("file:///a", language, 1, text).snapshot()
    context = syntax_context(snapshot, offset)
    for action in Action:
        detector = Completeness(context, classify(action, context, Targets()))
        detector.feed(answer)
        # In front of code, what parts the two belongs to the suggestion.
        in_front = context.rest is Rest.TEXT
        assert in_front or detector.text() == detector.text().rstrip()
    window(snapshot, offset, 50)
    unit = unit_at(snapshot, offset)
    assert unit is None or 0 <= unit.start <= unit.end <= len(text)


UNLIMITED = 0
TOO_SHORT = 1
"""Microseconds that no parse of these documents keeps within, on any machine."""


def unsettled_document(pause_us: int = UNLIMITED) -> tuple[Any, Position]:
    """One whose last edit broke more than one key's parse may repair."""
    functions = "".join(f"def f{n}(a):\n    b = 'c'\n    return b\n" for n in range(60))
    patience = Patience(TOO_SHORT, pause_us, UNLIMITED)
    text = functions + "\n" + functions
    document = open_document("file:///a", "python", 1, text, patience=patience)
    place = Position(functions.count("\n"), 0)
    added = Change("def added(a):\n    return (a, \n", Range(place, place))
    document.apply([added], 2, Encoding.UTF16)
    return document, Position(place.line + 1, 15)


def test_a_parse_that_takes_too_long_is_given_up_and_made_up_for() -> None:
    document, position = unsettled_document()
    snapshot = document.snapshot()
    offset = snapshot.offset(position, Encoding.UTF16)
    assert not snapshot.settled
    assert syntax_context(snapshot, offset).in_expression
    unit = unit_at(snapshot, snapshot.offset(Position(position.line + 2, 9), Encoding.UTF16))
    assert unit is not None
    document.settle()
    assert document.snapshot().settled
    assert document.snapshot().version == 2
    assert settled(snapshot).tree is not snapshot.tree


def test_a_parse_that_would_take_seconds_is_given_up_at_a_pause_too() -> None:
    document, position = unsettled_document(pause_us=TOO_SHORT)
    before = document.snapshot()
    document.settle()
    assert not document.snapshot().settled
    assert document.snapshot().tree is before.tree
    offset = before.offset(position, Encoding.UTF16)
    assert syntax_context(document.snapshot(), offset).in_expression


def test_what_took_too_long_is_tried_again_after_ever_longer_rests() -> None:
    tree = open_document("file:///a", "python", 1, "a = 1\n").snapshot().tree
    assert tree is not None
    asked: list[Tree | None] = []
    tried: list[int] = []

    def attempt(text: str, edited: Tree) -> Tree | None:
        tried.append(len(asked))
        return edited if len(tried) > 2 else None

    parse = BoundedParse(attempt)
    while len(asked) < 4 * REST:
        asked.append(parse.parse("a = (1\n", tree))
    # One attempt, a rest, another, a rest twice as long, and from then on each time.
    third = 3 * REST + 2
    assert tried == [0, REST + 1, *range(third, 4 * REST)]
    assert asked == [None] * third + [tree] * (4 * REST - third)


def test_other_places_of_an_unsettled_document_are_still_known() -> None:
    document, position = unsettled_document()
    snapshot = document.snapshot()
    below = snapshot.offset(Position(position.line + 3, 12), Encoding.UTF16)
    assert [scope.name for scope in syntax_context(snapshot, below).scopes] == ["f0"]
