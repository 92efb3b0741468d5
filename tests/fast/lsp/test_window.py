"""The prompt window: never too long, whole lines, and a head that stays while somebody types."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cato_lsp.decisions.window import Window, window
from cato_lsp.syntax import open_document
from cato_lsp.text import Change, Encoding, Position, Range, Snapshot

LONG = "".join(f"line number {n} of a long file\n" for n in range(2_000))


def snapshot_of(text: str) -> Snapshot:
    return open_document("file:///a", "plaintext", 1, text).snapshot()


@given(
    st.lists(st.sampled_from(["ab", "é😀", "\n", "\r\n", "x" * 40]), max_size=60).map("".join),
    st.integers(-1, 900),
    st.integers(0, 500),
)
def test_it_is_the_text_around_the_cursor_and_within_budget(
    text: str, offset: int, budget: int
) -> None:
    cut = window(snapshot_of(text), offset, budget)
    offset = min(max(offset, 0), len(text))
    assert text[:offset].endswith(cut.prefix)
    assert text[offset:].startswith(cut.suffix)
    assert len(cut.prefix) + len(cut.suffix) <= budget


def test_a_text_within_budget_is_shown_whole() -> None:
    for offset in (0, 3, 8):
        assert window(snapshot_of("ab\ncd\nef"), offset, 8) == Window(
            "ab\ncd\nef"[:offset], "ab\ncd\nef"[offset:]
        )


def test_a_long_text_is_cut_to_whole_lines_in_the_ratio_three_to_one() -> None:
    cut = window(snapshot_of(LONG), len(LONG) // 2, 8_000)
    assert cut.prefix.startswith("line number")
    assert cut.suffix.endswith("file\n")
    assert 6_000 * 3 // 4 - 40 <= len(cut.prefix) <= 6_000
    assert 2_000 - 40 <= len(cut.suffix) <= 2_000


def test_what_the_suffix_does_not_need_goes_to_the_prefix() -> None:
    cut = window(snapshot_of(LONG), len(LONG), 8_000)
    assert cut.suffix == ""
    assert len(cut.prefix) > 8_000 * 3 // 4 - 40


def test_what_the_prefix_does_not_need_goes_to_the_suffix() -> None:
    cut = window(snapshot_of(LONG), 100, 8_000)
    assert len(cut.prefix) == 100
    assert len(cut.suffix) > 8_000 * 3 // 4 - 40


def test_the_suffix_stays_while_text_is_typed_at_the_head_of_a_file() -> None:
    tails = {window(snapshot_of("x" * n + LONG), n, 8_000, 1_200).suffix for n in range(300)}
    assert len(tails) == 1


def test_keys_that_are_typed_share_all_of_the_prefix_before_them() -> None:
    document = open_document("file:///a", "plaintext", 1, LONG)
    heads, prefixes = set(), []
    for n in range(1_000):
        place = Position(1_000, n)
        document.apply([Change("x", Range(place, place))], n + 2, Encoding.UTF16)
        snapshot = document.snapshot()
        cut = window(snapshot, snapshot.offset(Position(1_000, n + 1), Encoding.UTF16), 8_000)
        heads.add(cut.prefix[:40])
        prefixes.append(cut.prefix)
    assert len(heads) <= 2
    assert sum(later.startswith(earlier) for earlier, later in pairwise(prefixes)) >= 998


def test_one_endless_line_is_cut_too() -> None:
    cut = window(snapshot_of("x" * 10_000), 5_000, 1_000)
    assert 500 <= len(cut.prefix) <= 750
    assert len(cut.suffix) == 250
