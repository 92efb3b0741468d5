"""A unit that is longer than the model's context, in pieces."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.tasks.asking import pieces

LINES = st.lists(
    st.sampled_from(
        ["x = 1", "if x:", "    y = 2", "", "for a in b:", "    call(", "        1,", "    )"]
    ),
    max_size=60,
)
FUNCTION = "def f(x):\n" + "".join(
    f"    if x == {number}:\n        y = call(\n            {number},\n        )\n"
    "\n        return y\n"
    for number in range(40)
)


@given(LINES, st.integers(1, 200), st.lists(st.integers(0, 70)))
def test_pieces_are_the_text_in_order(lines: list[str], most: int, breaks: list[int]) -> None:
    text = "\n".join(lines)
    found = pieces(text, most, breaks)
    assert "".join(found) == text
    assert all(found)


@given(st.integers(200, 2000))
def test_each_piece_fits_and_holds_whole_statements(most: int) -> None:
    head, *rest = pieces(FUNCTION, most)
    assert all(len(piece) <= most for piece in (head, *rest))
    ast.parse(head)
    for piece in rest:
        ast.parse(textwrap.dedent(piece))


def test_breaks_that_a_parser_told_count_alone() -> None:
    text = "a = '''\nb = 1\nc = 2\n'''\nd = 3\n"
    assert pieces(text, 10, [0, 4]) == ("a = '''\nb = 1\nc = 2\n'''\n", "d = 3\n")


def test_the_outermost_statement_within_reach_is_preferred() -> None:
    text = "if a:\n    b()\n    c()\nif d:\n    e()\n"
    assert pieces(text, 32)[0] == "if a:\n    b()\n    c()\n"


@pytest.mark.parametrize("text", ["", "x", "x\n", "x\r\ny\r\n"])
def test_a_short_text_is_one_piece(text: str) -> None:
    assert pieces(text, 100) == ((text,) if text else ())


def test_a_statement_that_is_too_long_stays_whole() -> None:
    text = "x = [\n" + "    1,\n" * 100 + "]\ny = 2\n"
    assert [len(piece) for piece in pieces(text, 50)] == [len(text) - 6, 6]
