"""What of an answer can be believed, and where it is read no further."""

from __future__ import annotations

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_lsp.completion import Completeness
from cato_lsp.completion.reader import AnswerReader
from cato_lsp.completion.reuse import Token, behind
from cato_lsp.decisions.classify import Action, classify
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document, syntax_context

LINE, BLOCK = "def add(a, b):\n    return ", "def add(a, b):\n    "


def reading(before: str = LINE, least: float = 0.7) -> AnswerReader:
    snapshot = open_document("file:///a.py", "python", 1, before).snapshot()
    context = syntax_context(snapshot, len(before))
    assignment = classify(Action.AUTOMATIC_COMPLETION, context, Targets())
    return AnswerReader(partial(Completeness, context, assignment), least)


def tokens(*said: tuple[str, float]) -> list[Token]:
    return [Token(text, math.log(probability)) for text, probability in said]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ([("a", 0.9), (" +", 0.9), (" b", 0.9), ("\n", 1.0)], "a + b"),
        # The product falls below.
        ([("aa", 0.9), (" +", 0.9), (" b", 0.8), ("\n", 1.0)], "aa +"),
        ([("value", 1.0), (".co", 1.0), ("unt", 0.5), ("\n", 1.0)], "value."),
        ([("a", 0.6), (" + b", 1.0), ("\n", 1.0)], ""),
        # One character is not worth a look, unless it is all that there is to say.
        ([("(", 1.0), ("a", 0.5), (")\n", 1.0)], ""),
        ([("a", 1.0), ("\n", 1.0)], "a"),
        # Whether the line ends here is nobody's doubt: what is shown is right.
        ([("total", 1.0), ("\n", 0.5)], "total"),
    ],
)
def test_it_is_shown_up_to_the_first_doubt(said: list[tuple[str, float]], shown: str) -> None:
    read = reading()
    read.feed(tokens(*said))
    assert read.complete
    assert read.text() == shown


@pytest.mark.parametrize(
    ("begun", "shown"), [("return", "c = a + b\n        return"), ("if", "c = a + b")]
)
def test_of_a_further_line_the_beginning_is_shown_if_it_is_worth_a_look(
    begun: str, shown: str
) -> None:
    read = reading("class A:\n    def add(self, a, b):\n        ")
    read.feed(tokens(("c = a + b\n", 1.0), (f"        {begun}", 1.0), (" c", 0.3), ("\n", 1.0)))
    assert read.text() == shown


def test_a_requested_completion_is_shown_in_full() -> None:
    read = reading(least=0.0)
    assert read.feed(tokens(("a", 0.3), (" + b", 0.3), ("\n", 1.0)))
    assert (read.text(), read.broken_off) == ("a + b", False)


def test_an_unlikely_answer_is_not_read_further() -> None:
    read = reading()
    assert not read.feed(tokens(("aa", 0.9), (" +", 0.5)))
    assert read.feed(tokens((" b", 0.4)))
    assert read.broken_off
    assert read.text() == "aa"
    assert read.confidence == pytest.approx(0.9)


def test_of_tokens_that_tell_nothing_each_part_counts() -> None:
    said = [Token(text) for text in ("total", " + ", "count", "\n")]
    snapshot = open_document("file:///a.py", "python", 1, LINE).snapshot()
    context = syntax_context(snapshot, len(LINE))
    assignment = classify(Action.AUTOMATIC_COMPLETION, context, Targets())
    begin = partial(Completeness, context, assignment)
    read = AnswerReader(begin, 0.7, least_read=0.7, untold=math.log(0.85))
    assert read.feed(said)
    assert (read.text(), read.broken_off, read.confidence) == ("total +", True, None)


def test_without_word_from_the_engine_everything_is_believed() -> None:
    read = reading()
    read.feed([Token("a + b"), Token("\n")])
    assert (read.text(), read.confidence) == ("a + b", None)


@given(st.lists(st.tuples(st.text("ab (", min_size=1), st.floats(0.01, 1.0))), st.integers(0, 20))
def test_what_was_typed_is_not_doubted(said: list[tuple[str, float]], offset: int) -> None:
    given_tokens = tokens(*said)
    text = "".join(token.text for token in given_tokens)
    left = list(behind(given_tokens, offset))
    assert "".join(token.text for token in left) == text[offset:]
    untouched = left[1:] if left else []
    assert untouched == given_tokens[len(given_tokens) - len(untouched) :]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", " +", "b", "(", ")", "\n", "    c\n"]), st.floats(0.5, 1.0))
    ),
    st.sampled_from([0.0, 0.7]),
)
def test_an_answer_at_once_is_read_as_it_is_token_by_token(
    said: list[tuple[str, float]], least: float
) -> None:
    at_once, one_by_one = reading(BLOCK, least), reading(BLOCK, least)
    at_once.feed(tokens(*said))
    for token in tokens(*said):
        one_by_one.feed([token])
    assert at_once.text() == one_by_one.text()
    assert (at_once.complete, at_once.broken_off) == (one_by_one.complete, one_by_one.broken_off)
