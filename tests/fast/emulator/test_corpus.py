"""The model that knows what comes next."""

from __future__ import annotations

from itertools import islice
from operator import itemgetter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_lab.emulator.corpus import Corpus, CorpusText, Errors, split_infill
from cato_lab.emulator.engine import sampled
from cato_lab.emulator.tokenizer import EOS, Tokenizer

TOKENIZER = Tokenizer()
LINES = st.lists(st.sampled_from(["x = 1", "", "    return x", "def f():", "für", "\tend"]))
ORDERS = st.sampled_from(
    [
        "<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>",
        "<|fim_prefix|><|fim_suffix|>{after}<|fim_middle|>{before}",
        "<|fim_suffix|>{after}<|fim_prefix|>{before}<|fim_middle|>",
    ]
)


def said(source: CorpusText, prompt: str, most: int = 5000) -> str:
    tokens = [each.token for each in islice(source(TOKENIZER.encode(prompt)), most)]
    return TOKENIZER.decode(tokens[: tokens.index(EOS)] if EOS in tokens else tokens)


@given(LINES, LINES, LINES, ORDERS, st.data())
def test_a_hole_is_filled_with_what_stood_there(
    head: list[str], middle: list[str], tail: list[str], order: str, data: st.DataObject
) -> None:
    text = "\n".join(["# its only file", *head, *middle, "# the end", *tail])
    start = data.draw(st.integers(0, text.index("# the end")))
    prompt = order.format(before=text[:start], after=text[text.index("# the end") :])
    source = CorpusText(Corpus(["other\n", text]), Errors(0.0, seed=1))
    assert said(source, prompt) == text[start : text.index("# the end")]


@given(st.text(), st.text(), st.text(), ORDERS)
def test_both_orders_are_taken_apart(before: str, after: str, said_so_far: str, order: str) -> None:
    prompt = order.format(before=before, after=after) + said_so_far
    assert split_infill(prompt) == (before + said_so_far, after)


def test_of_two_places_the_one_with_the_same_text_before_it_is_taken() -> None:
    texts = ["def a():\n    x = 1\n    y = 2\n", "def b():\n    x = 1\n    z = 3\n"]
    source = CorpusText(Corpus(texts), Errors(0.0, seed=1))
    assert said(source, "def b():\n    x = 1\n    ") == "z = 3\n"
    assert said(source, "def a():\n    x = 1\n    ") == "y = 2\n"


def test_what_is_not_found_is_answered_all_the_same() -> None:
    source = CorpusText(Corpus(["x = 1\n"]), Errors(0.0, seed=1))
    assert len(said(source, "nowhere\n", most=50)) > 50


def test_errors_stay_where_they_are_while_a_person_types_on() -> None:
    text = "".join(f"value {i} and other {i}\n" for i in range(50))
    source = CorpusText(Corpus([text]), Errors(0.3, seed=4))
    first = said(source, text[:100])
    later = said(source, text[: text.index("\n", 200) + 1])
    assert first != text[100:]
    assert first.endswith(later.split("\n", 1)[1])
    assert said(CorpusText(Corpus([text]), Errors(0.3, seed=5)), text[:100]) != first


@pytest.mark.parametrize("concentration", [None, 0.5, 20.0])
def test_it_is_wrong_as_often_as_its_confidence_says(concentration: float | None) -> None:
    errors = Errors(0.1, seed=3, concentration=concentration)
    places = ((0, offset) for offset in range(6000))
    drawn = sorted(map(errors.at, places), key=itemgetter(0))
    for part in (drawn, drawn[-600:]):
        expected = sum(chance for chance, _ in part) / len(part)
        wrong = sum(draw < chance for chance, draw in part) / len(part)
        assert wrong == pytest.approx(expected, abs=0.04)
    assert sum(chance for chance, _ in drawn) / len(drawn) == pytest.approx(0.1, abs=0.01)


def test_the_log_probability_is_that_of_being_right() -> None:
    text = "".join(f"value {i} and other {i}\n" for i in range(50))
    source = CorpusText(Corpus([text]), Errors(0.3, seed=4))
    said = list(source(TOKENIZER.encode(text[:100])))
    truth = TOKENIZER.encode(text[100:])
    wrong = [one.logprob for one, true in zip(said, truth, strict=False) if one.token != true]
    right = [one.logprob for one, true in zip(said, truth, strict=False) if one.token == true]
    assert 0 >= max(right) > max(wrong)
    assert sum(right) / len(right) > sum(wrong) / len(wrong)


def test_a_model_that_is_sampled_says_something_else_where_it_is_unsure() -> None:
    text = "".join(f"value {i} and other {i}\n" for i in range(200))
    source, chance = CorpusText(Corpus([text]), Errors(0.2, seed=4)), Random(1)
    prompt = TOKENIZER.encode(text[:100])
    surest = list(islice(source(prompt), 1500))
    others = list(islice(sampled(source(prompt), 1.0, chance), 1500))
    pairs = [(a, b) for a, b in zip(surest, others, strict=True) if a.other is not None]
    changed = [a.logprob for a, b in pairs if a.token != b.token]
    kept = [a.logprob for a, b in pairs if a.token == b.token]
    assert sum(changed) / len(changed) < sum(kept) / len(kept)
    assert len(changed) / len(pairs) == pytest.approx(0.12, abs=0.08)
    assert [one.token for one in islice(sampled(source(prompt), 0.0, chance), 1500)] == [
        one.token for one in surest
    ]
