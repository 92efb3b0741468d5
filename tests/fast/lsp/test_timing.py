"""How long to wait before asking."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cato_lsp.decisions.habits import TypingRhythm, debounce_ms


def typist(gap_s: float, keys: int = 100) -> TypingRhythm:
    rhythm = TypingRhythm()
    for number in range(keys):
        rhythm.key(number * gap_s)
    return rhythm


def wait(
    rhythm: TypingRhythm, load: float, editor_ms: float = 0, longest_ms: float = 1000
) -> float:
    return debounce_ms(rhythm, answer_ms=150, load=load, editor_ms=editor_ms, longest_ms=longest_ms)


def test_a_longer_pause_is_more_likely_to_last() -> None:
    shares = [TypingRhythm().still(ms) for ms in (0, 50, 170, 400, 2000)]
    assert shares[0] == 1
    assert all(later < earlier for earlier, later in itertools.pairwise(shares))
    assert 0.5 < shares[2] < 0.6


def test_an_idle_backend_is_asked_at_once_and_a_full_one_only_in_a_pause() -> None:
    waits = [wait(TypingRhythm(), load / 10) for load in range(11)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert 200 <= waits[-1] <= 600


def test_who_types_slowly_has_the_answer_between_two_keys() -> None:
    assert wait(typist(0.4), 0.6) == 0 < wait(typist(0.08), 0.6)


def test_what_the_editor_waited_counts() -> None:
    alone = wait(TypingRhythm(), 0.8)
    assert wait(TypingRhythm(), 0.8, editor_ms=200) == max(alone - 200, 0)


def test_pauses_between_bursts_do_not_count() -> None:
    rhythm = typist(0.1)
    before = rhythm.still(300)
    rhythm.key(10_000)
    assert rhythm.still(300) == before


@given(st.floats(0, 1), st.floats(0, 400), st.floats(0, 2000), st.floats(0.01, 0.9))
def test_it_never_exceeds_the_longest_wait(
    load: float, editor_ms: float, longest_ms: float, gap_s: float
) -> None:
    waited = wait(typist(gap_s, 12), load, editor_ms, longest_ms)
    assert 0 <= waited <= longest_ms
