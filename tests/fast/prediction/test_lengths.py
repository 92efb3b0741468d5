"""Output-length quantiles: right about what they have seen, cut-off answers among it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.prediction.lengths import EDGES, OutputLengths, band_of, bin_of
from cato_backend.wire.headers import Task


def learned(
    lengths: list[int], cuts: list[int] | None = None, max_tokens: int = 4096
) -> OutputLengths:
    """Answers of these lengths, each cut off where its cut comes first."""
    model = OutputLengths()
    for length, cut in zip(lengths, cuts or [max_tokens] * len(lengths), strict=True):
        finished = length <= cut
        emitted = min(length, cut, max_tokens)
        model.observe(Task.GENERATION, 200, max_tokens, emitted, finished=finished)
    return model


def drawn(seed: int, count: int, mu: float = 4.0, sigma: float = 0.8) -> list[int]:
    rng = random.Random(seed)
    return [max(1, round(rng.lognormvariate(mu, sigma))) for _ in range(count)]


def share_within(model: OutputLengths, q: float, fresh: list[int]) -> float:
    bound = model.quantile(Task.GENERATION, 200, 4096, q)
    return sum(length <= bound for length in fresh) / len(fresh)


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_quantiles_hold_on_fresh_answers(q: float) -> None:
    model = learned(drawn(1, 800))
    assert share_within(model, q, drawn(2, 4000)) == pytest.approx(q, abs=0.05)


def test_cancelled_answers_do_not_make_the_lengths_look_short() -> None:
    lengths = drawn(1, 1500)
    rng = random.Random(3)
    cuts = [max(1, round(rng.lognormvariate(4.0, 0.8))) for _ in lengths]
    model = learned(lengths, cuts)
    naive = sorted(length for length, cut in zip(lengths, cuts, strict=True) if length <= cut)
    fresh = drawn(2, 4000)
    assert share_within(model, 0.5, fresh) == pytest.approx(0.5, abs=0.06)
    assert sum(length <= naive[len(naive) // 2] for length in fresh) / len(fresh) < 0.4


def test_an_answer_that_ran_into_max_tokens_was_cut_off() -> None:
    model = OutputLengths()
    for length in drawn(1, 800, mu=5.0):
        emitted = min(length, 100)
        model.observe(Task.GENERATION, 200, 100, emitted, finished=True)
    assert model.quantile(Task.GENERATION, 200, 100, 0.9) == 100
    beyond = model.quantile(Task.GENERATION, 200, 4096, 0.9)
    assert beyond > 150


def test_what_was_emitted_already_moves_the_quantile_on() -> None:
    model = learned([10, 400] * 300)
    assert model.quantile(Task.GENERATION, 200, 4096, 0.4) <= 11
    assert model.quantile(Task.GENERATION, 200, 4096, 0.4, emitted=40) > 300
    assert model.remaining(Task.GENERATION, 200, 4096, 0.4, emitted=40) > 260


def test_prompts_of_other_lengths_have_quantiles_of_their_own() -> None:
    model = OutputLengths()
    for _ in range(300):
        model.observe(Task.SUMMARIZATION, 100, 512, 20, finished=True)
        model.observe(Task.SUMMARIZATION, 3000, 512, 200, finished=True)
    assert model.quantile(Task.SUMMARIZATION, 110, 512, 0.8) < 30
    assert model.quantile(Task.SUMMARIZATION, 2900, 512, 0.5) > 150


def test_before_any_answer_the_published_shapes_hold() -> None:
    model = OutputLengths()
    assert model.quantile(Task.COMPLETION, 2000, 4096, 0.5) == pytest.approx(8, abs=2)
    assert model.quantile(Task.GENERATION, 800, 4096, 0.5) == pytest.approx(255, rel=0.15)
    small, large = (model.quantile(Task.TRANSLATION, n, 4096, 0.5) for n in (200, 1500))
    assert large > 4 * small


def test_what_changes_is_followed() -> None:
    model = learned([300] * 500 + [20] * 2000)
    assert model.quantile(Task.GENERATION, 200, 4096, 0.9) < 60


@given(st.integers(0, 3000), st.integers(1, 4096), st.integers(1, 9000))
def test_quantiles_rise_with_q_and_stay_within_their_bounds(
    emitted: int, max_tokens: int, prompt: int
) -> None:
    model = OutputLengths()
    found = [
        model.quantile(Task.COMPLETION, prompt, max_tokens, q, emitted)
        for q in (0.1, 0.5, 0.9, 0.99)
    ]
    assert found == sorted(found)
    assert all(min(emitted + 1, max_tokens) <= each <= max_tokens for each in found)


def test_bins_and_bands_are_where_their_edges_say() -> None:
    assert all(low < high for low, high in pairwise(EDGES))
    assert all(bin_of(edge) == number for number, edge in enumerate(EDGES))
    assert [band_of(n) for n in (1, 64, 65, 128, 129, 256, 257, 10**6)] == [0, 0, 1, 1, 2, 2, 3, 8]
