"""Lengths that a prompt announces: the emulator obeys them, also in the middle of an answer."""

from __future__ import annotations

import pytest

from cato_lab.emulator.text import PseudoCode, length_marker, marked_length
from cato_lab.emulator.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f():\n", None),
        ("x " + length_marker(137), (137, 24)),
        (length_marker(5) + length_marker(9) + " value", (9, 40)),
        ("<answer of many tokens>", None),
        ("<answer of 5 tokens", None),
    ],
)
def test_the_last_announcement_is_read(text: str, found: tuple[int, int] | None) -> None:
    assert marked_length(text) == found


def test_an_answer_that_goes_on_elsewhere_is_not_longer() -> None:
    tokenizer, say = Tokenizer(), PseudoCode()
    prompt = tokenizer.encode("x = " + length_marker(40))
    whole = [said.token for said in say(prompt)]
    assert len(whole) == 39, "the last token is the end itself"
    assert len(list(say(prompt + whole[:15]))) == 24
    assert list(say(prompt + whole)) == []
