"""What a person's history says of the next suggestion."""

from __future__ import annotations

import random

import pytest

from cato_lsp.decisions.habits import LEAST_SEEN, Acceptance, Signals


def signals(characters: int = 20, language: str = "python", confidence: float = 0.9) -> Signals:
    return Signals(characters, 1, begins_line=False, language=language, confidence=confidence)


def test_nothing_is_said_before_enough_is_known() -> None:
    acceptance = Acceptance()
    for _ in range(LEAST_SEEN - 1):
        acceptance.learn(signals(), accepted=False)
    assert acceptance.probability(signals()) is None
    acceptance.learn(signals(), accepted=False)
    assert acceptance.probability(signals()) is not None


def test_without_a_difference_it_is_the_share_that_was_accepted() -> None:
    acceptance, chance = Acceptance(), random.Random(1)
    for _ in range(2000):
        acceptance.learn(signals(), accepted=chance.random() < 0.4)
    assert acceptance.probability(signals()) == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize(
    ("liked", "disliked"),
    [
        (signals(characters=10), signals(characters=90)),
        (signals(language="go"), signals(language="ruby")),
        (signals(confidence=0.99), signals(confidence=0.8)),
    ],
)
def test_what_was_accepted_more_often_is_likelier(liked: Signals, disliked: Signals) -> None:
    acceptance, chance = Acceptance(), random.Random(2)
    for _ in range(400):
        acceptance.learn(liked, accepted=chance.random() < 0.6)
        acceptance.learn(disliked, accepted=chance.random() < 0.1)
    likely, unlikely = acceptance.probability(liked), acceptance.probability(disliked)
    assert likely is not None
    assert unlikely is not None
    assert 1 > likely > 0.4 > 0.25 > unlikely > 0


def test_unseen_signals_do_not_change_the_probability() -> None:
    acceptance = Acceptance()
    for number in range(300):
        acceptance.learn(signals(), accepted=number % 3 == 0)
    known = acceptance.probability(signals())
    assert acceptance.probability(signals(language="cobol")) == pytest.approx(known, abs=0.05)
