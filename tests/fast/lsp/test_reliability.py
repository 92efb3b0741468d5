"""How far an answer is believed whose engine does not tell how sure it is."""

from __future__ import annotations

import math

import pytest

from cato_lsp.completion.beliefs import (
    ERRORS,
    Evidence,
    Judgement,
    Reliability,
    believed,
    parts_of,
    whole_words,
)
from cato_lsp.completion.reuse import Answer, PromptAnchor, Token
from cato_lsp.decisions.habits import LEFT_THOUGH_RIGHT, IgnoredSuggestions, raised

ALL_AGREE, ONE_DIFFERS, NONE_KNOWN = Evidence(2, 2), Evidence(2, 1), Evidence()


class Others:
    """Further answers, as texts."""

    def __init__(self, *said: str) -> None:
        self._said = said

    def texts(self) -> list[str]:
        return [*self._said]


def answer(text: str, *others: str, prefix: str = "") -> Answer:
    place = PromptAnchor(prefix, "", from_start=True, to_end=False)
    tokens = (Token(text),)
    return Answer(place, text, "r", True, False, False, tokens, Others(*others))


def learned(evidence: Evidence, *, right: int, wrong: int) -> Reliability:
    reliability = Reliability()
    for number in range(right + wrong):
        reliability.observe(evidence, right=number >= wrong)
    return reliability


def test_what_others_agree_on_is_believed_more_and_what_they_do_not_less() -> None:
    reliability = Reliability()
    agree, differ, unknown = map(reliability.logprob, (ALL_AGREE, ONE_DIFFERS, NONE_KNOWN))
    assert agree > unknown > differ
    assert math.exp(unknown) == pytest.approx(1 - ERRORS)


@pytest.mark.parametrize(("right", "wrong"), [(380, 20), (300, 100), (400, 0)])
def test_what_was_typed_after_former_answers_is_learned(right: int, wrong: int) -> None:
    reliability = learned(NONE_KNOWN, right=right, wrong=wrong)
    share = right / (right + wrong)
    assert math.exp(reliability.logprob(NONE_KNOWN)) == pytest.approx(share, abs=0.02)


def test_a_model_that_is_replaced_is_soon_judged_anew() -> None:
    reliability = learned(NONE_KNOWN, right=4_000, wrong=0)
    for _ in range(400):
        reliability.observe(NONE_KNOWN, right=False)
    assert math.exp(reliability.logprob(NONE_KNOWN)) < 0.5


def test_agreement_that_tells_nothing_is_noticed() -> None:
    deterministic, sampled = Reliability(), Reliability()
    assert deterministic.others_tell()
    for number in range(200):
        deterministic.observe(ALL_AGREE, right=number % 20 != 0)
        deterministic.observe(NONE_KNOWN, right=number % 20 != 0)
        sampled.observe(ALL_AGREE, right=number % 100 != 0)
        sampled.observe(ONE_DIFFERS, right=number % 2 == 0)
    assert not deterministic.others_tell()
    assert sampled.others_tell()


@pytest.mark.parametrize(
    ("text", "others", "evidence"),
    [
        ("a + b", (), [(0, 0)] * 3),
        ("a + b", ("a + b\n", "a - b"), [(2, 2), (2, 1), (1, 1)]),
        # What is still being said tells of nothing that it has not come to.
        ("total + b", ("total", "tot"), [(1, 1), (0, 0), (0, 0)]),
        # Another word that begins alike differs.
        ("count", ("coun ted", "county"), [(2, 1)]),
    ],
)
def test_only_those_that_agreed_so_far_are_asked(
    text: str, others: tuple[str, ...], evidence: list[tuple[int, int]]
) -> None:
    found = [(part.evidence.others, part.evidence.agree) for part in parts_of(text, others)]
    assert found == evidence


def test_tokens_of_an_estimate_spell_the_answer() -> None:
    text = "def add(a, b):\n    return a + b\n"
    tokens = [*believed(text, ("def add(x",), Reliability())]
    assert "".join(token.text for token in tokens) == text
    assert all(token.logprob is not None and token.logprob <= 0 for token in tokens)


def test_a_word_that_broke_off_is_not_shown() -> None:
    assert whole_words("a + conf") == "a + "
    assert whole_words("a + ") == "a + "


def test_lines_that_were_left_are_compared_and_no_others() -> None:
    reliability = Reliability()
    before = reliability.logprob(NONE_KNOWN)
    judgement = Judgement(answer("a = b\nc = d\n", prefix="x\n"), reliability)
    # The line is still being written: a slip of the finger is not the model's mistake.
    judgement.changed("x\na = x", len("x\na = x"))
    assert reliability.logprob(NONE_KNOWN) == before
    judgement.changed("x\na = b\n", len("x\na = b\n"))
    after = reliability.logprob(NONE_KNOWN)
    assert after > before
    text = "x\na = b\nc = e\n"
    judgement.changed(text, len(text))
    assert judgement.over
    wrong = reliability.logprob(NONE_KNOWN)
    assert wrong < after
    judgement.changed(f"{text}f", len(text) + 1)
    assert reliability.logprob(NONE_KNOWN) == wrong


def test_each_part_counts_once() -> None:
    reliability = Reliability()
    judgement = Judgement(answer("a = b\nc = d\n", prefix="x\n"), reliability)
    text = "x\na = b\n"
    judgement.changed(text, len(text))
    once = reliability.logprob(NONE_KNOWN)
    for typed in ("c", "c ", "c ="):
        judgement.changed(text + typed, len(text + typed))
    assert reliability.logprob(NONE_KNOWN) == once
    assert not judgement.over


def test_an_answer_whose_place_is_gone_is_not_judged() -> None:
    reliability = Reliability()
    judgement = Judgement(answer("a = b\n", prefix="x\n"), reliability)
    judgement.changed("y\nz = q\n", 8)
    assert judgement.over
    assert reliability.logprob(NONE_KNOWN) == Reliability().logprob(NONE_KNOWN)


def test_an_ignored_suggestion_counts_while_it_is_typed_along() -> None:
    ignored = IgnoredSuggestions()
    ignored.add(4, "total + 1")
    text = "x = total"
    assert ignored.times(text, 4 + 2, "tal + 1") == 1
    # More of the same has the same mistake in it; something else, or less, may be right.
    assert ignored.times(text, 4 + 2, "tal + 1\nreturn x") == 1
    assert ignored.times(text, 4 + 2, "tal - 1") == 0
    assert ignored.times(text, 4 + 2, "tal") == 0
    assert ignored.times("y = total", 4 + 2, "tal + 1") == 1
    assert ignored.times(text, 2, "total + 1") == 0


def test_a_fully_typed_suggestion_does_not_count_as_ignored() -> None:
    ignored = IgnoredSuggestions()
    ignored.add(0, "ab")
    assert ignored.times("ab", 2, " + c") == 0


@pytest.mark.parametrize("least", [0.3, 0.6, 0.9])
def test_each_ignored_suggestion_raises_the_required_probability(least: float) -> None:
    once, twice = raised(least, 1), raised(least, 2)
    assert raised(least, 0) == pytest.approx(least)
    assert least < once < twice < 1
    odds = least / (1 - least)
    assert once / (1 - once) == pytest.approx(odds / LEFT_THOUGH_RIGHT)


def test_with_the_least_confidence_at_zero_everything_is_shown() -> None:
    assert raised(0.0, 3) == 0.0
