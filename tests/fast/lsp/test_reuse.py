"""Which former answers still fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_lsp.completion.reuse import KEPT, Answer, AnswerCache, PromptAnchor, Token, typed_since

BEFORE, AFTER = "def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n"


def place(prefix: str = BEFORE, suffix: str = AFTER, **ends: bool) -> PromptAnchor:
    return PromptAnchor(prefix, suffix, ends.get("from_start", True), ends.get("to_end", True))


def answer(
    text: str, at: PromptAnchor | None = None, *, whole: bool = True, ended: bool = False
) -> Answer:
    said = (Token(text),)
    return Answer(at or place(), text, "request", whole, truncated=False, ended=ended, tokens=said)


def found(
    cache: AnswerCache, before: str, after: str = AFTER, *, in_line: bool = False
) -> str | None:
    hit = cache.find(before + after, len(before), in_line=in_line)
    return None if hit is None else hit.rest


@pytest.mark.parametrize(
    ("typed", "after", "rest"),
    [
        ("", AFTER, "sum(a, b)\n"),
        ("s", AFTER, "um(a, b)\n"),
        ("sum(", AFTER, "a, b)\n"),
        ("sum(", ")" + AFTER, "a, b)\n"),
        ("sum(a", ")" + AFTER, ", b)\n"),
        ("x", AFTER, None),
        ("sum(a, b)\n", AFTER, None),
        ("s", ")" + AFTER, None),
        ("s", AFTER + "more", None),
        ("s", AFTER[:-1], None),
    ],
)
def test_an_answer_fits_while_it_is_typed_and_its_surroundings_stay(
    typed: str, after: str, rest: str | None
) -> None:
    cache = AnswerCache()
    cache.add(answer("sum(a, b)\n"))
    assert found(cache, BEFORE + typed, after) == rest


def test_taking_keys_back_brings_the_answer_back() -> None:
    cache = AnswerCache()
    cache.add(answer("a + b\n"))
    assert [found(cache, BEFORE + typed) for typed in ("a", "ax", "a", "")] == [
        " + b\n",
        None,
        " + b\n",
        "a + b\n",
    ]


def test_an_edit_before_the_place_makes_an_answer_stale_only_where_the_model_saw_it() -> None:
    cache = AnswerCache()
    cache.add(answer("a + b\n", place(from_start=False, to_end=False)))
    assert found(cache, "import os\n" + BEFORE + "a", AFTER + "more") == " + b\n"
    assert found(cache, BEFORE.replace("add", "sub") + "a") is None


def test_a_model_that_had_nothing_to_say_is_not_asked_again() -> None:
    cache = AnswerCache()
    cache.add(answer(""))
    assert found(cache, BEFORE) == ""
    assert found(cache, BEFORE + "a") is None
    cache.add(answer("", whole=False))
    assert found(cache, BEFORE) is None


def test_the_newest_answer_wins_and_old_ones_go() -> None:
    cache = AnswerCache()
    cache.add(answer("old\n"))
    cache.add(answer("new\n"))
    assert found(cache, BEFORE) == "new\n"
    for number in range(KEPT):
        cache.add(answer("x", place(prefix=str(number))))
    assert found(cache, BEFORE) is None


@given(
    st.text("ab(\n", max_size=20),
    st.text("ab(\n", max_size=8),
    st.text("ab)\n", max_size=20),
    st.booleans(),
)
def test_what_was_typed_is_what_stands_between(
    prefix: str, typed: str, suffix: str, from_start: bool
) -> None:
    at = place(prefix, suffix, from_start=from_start)
    since = typed_since(at, prefix + typed + suffix, len(prefix + typed), 20)
    if from_start:
        assert since == typed
    else:
        # The same surroundings may stand there twice; what it says is true in any case.
        assert since is not None
        assert (prefix + typed).endswith(prefix + since)


@pytest.mark.parametrize(("ended", "rest"), [(True, ""), (False, None)])
def test_who_has_typed_all_that_was_to_be_said_need_not_ask_again(
    ended: bool, rest: str | None
) -> None:
    cache = AnswerCache()
    cache.add(answer("sum(a, b)", ended=ended))
    assert found(cache, BEFORE + "sum(a, b)") == rest


@pytest.mark.parametrize(("in_line", "rest"), [(True, "\n"), (False, None)])
def test_the_end_of_a_line_is_an_answer_where_nothing_behind_it_is_wanted(
    in_line: bool, rest: str | None
) -> None:
    cache = AnswerCache()
    cache.add(answer("sum(a, b)\n"))
    assert found(cache, BEFORE + "sum(a, b)", in_line=in_line) == rest
