"""Where `bench.typing.quick --account` says that characters and engine time went."""

from __future__ import annotations

import pytest

from bench.typing.account import Cause, Place, Shown, shares
from bench.typing.spending import Line, Spending, Use
from cato_lsp.suggestions.questions import Source

PLACE = Place(truth="abcdefghij", said="abcdefXX", believed="abcde", fitted="abc")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (
            Shown("ab", Source.CACHE, asking=False, worth_asking=True),
            {Cause.SAVED: 2, Cause.OLDER: 1, Cause.SYNTAX: 2, Cause.DOUBT: 1},
        ),
        (
            Shown("ab", Source.ASKED, asking=False, worth_asking=True),
            {Cause.SAVED: 2, Cause.PATIENCE: 1, Cause.SYNTAX: 2, Cause.DOUBT: 1},
        ),
        (Shown("abcdef", Source.CACHE, asking=False, worth_asking=True), {Cause.SAVED: 6}),
        (Shown("abcdefX", Source.CACHE, asking=False, worth_asking=True), {Cause.OVERCONFIDENT: 6}),
        (Shown("abz", Source.CACHE, asking=False, worth_asking=True), {Cause.OTHER_WRONG: 6}),
        (
            Shown("", None, asking=True, worth_asking=True),
            {Cause.LATE: 3, Cause.SYNTAX: 2, Cause.DOUBT: 1},
        ),
        (
            Shown("", None, asking=False, worth_asking=True),
            {Cause.WITHHELD: 3, Cause.SYNTAX: 2, Cause.DOUBT: 1},
        ),
        (
            Shown("", None, asking=False, worth_asking=False),
            {Cause.NOT_ASKED: 3, Cause.SYNTAX: 2, Cause.DOUBT: 1},
        ),
    ],
)
def test_each_right_character_has_one_cause(shown: Shown, expected: dict[Cause, int]) -> None:
    assert {cause: count for cause, count in shares(PLACE, shown) if count} == expected
    assert sum(expected.values()) == len("abcdef")


def test_engine_time_is_told_by_what_was_computed() -> None:
    spending = Spending()
    for further in (False, False, True):
        line = Line("abcdef", 0, further=further)
        for text in ("ab", "cX", "ef"):
            spending.token(line, text, 1.0)
    spending.prompt(0.5)
    assert dict(spending.seconds) == {
        Use.RIGHT: 1.0,
        Use.AGAIN: 1.0,
        Use.WRONG: 4.0,
        Use.FURTHER: 3.0,
        Use.PROMPT: 0.5,
    }
