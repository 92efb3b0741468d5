"""Lengths that a prompt announces: the emulator obeys them, also in the middle of an answer."""

from __future__ import annotations

import pytest

from cato_backend.emulator.text import PseudoCode
from cato_backend.emulator.tokenizer import Tokenizer
from cato_backend.wire.announced import announced, announcement


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f():\n", None),
        ("x " + announcement(137), (137, 24)),
        (announcement(5) + announcement(9) + " value", (9, 40)),
        ("<answer of many tokens>", None),
        ("<answer of 5 tokens", None),
    ],
)
def test_the_last_announcement_is_read(text: str, found: tuple[int, int] | None) -> None:
    assert announced(text) == found


def test_an_answer_that_goes_on_elsewhere_is_not_longer() -> None:
    tokenizer, say = Tokenizer(), PseudoCode()
    prompt = tokenizer.encode("x = " + announcement(40))
    whole = [said.token for said in say(prompt)]
    assert len(whole) == 39, "the last token is the end itself"
    assert len(list(say(prompt + whole[:15]))) == 24
    assert list(say(prompt + whole)) == []
