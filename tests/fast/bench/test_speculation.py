"""N-gram speculation, replayed: what is proposed, and how many steps an answer takes."""

from __future__ import annotations

from bench.speculation import Proposer, replay, rows


def test_what_followed_the_longest_match_is_proposed() -> None:
    text = [7, 2, 3, 8, 1, 2, 3, 4, 5, 6, 1, 2, 3]
    assert Proposer(least=2, most=3, tokens=2).proposed(text) == [4, 5]
    assert Proposer(least=2, most=2, tokens=2).proposed(text) == [8, 1]
    assert Proposer().proposed([1, 2, 3]) == ()


def test_a_repeated_text_takes_fewer_steps() -> None:
    prompt = list(range(20))
    again = replay("fix", prompt, prompt, Proposer())
    # Two tokens one by one, until there is something to match; then five in each step.
    assert (again.steps, again.proposed) == (6, 16)
    assert again.gain(0.0) == 20 / 6


def test_a_new_text_gains_nothing() -> None:
    new = replay("summary", list(range(20)), list(range(100, 110)), Proposer())
    assert (new.steps, new.proposed, new.gain(1.0)) == (10, 0, 1.0)


def test_a_class_has_its_worst_answer() -> None:
    prompt = list(range(20))
    found = [replay("fix", prompt, answer, Proposer()) for answer in (prompt, [50, 51])]
    (row,) = rows(found, 0.0)
    assert (row["answers"], row["worst"], row["best"]) == (2, 1.0, 3.333)
