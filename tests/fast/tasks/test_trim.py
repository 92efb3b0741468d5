"""A document is cut to the model's limit, at lines, and the cut stays put while typing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cato_backend.tasks.infill import ContextFile, trim, trim_document

texts = st.lists(st.text(alphabet="ab \n", max_size=40)).map("\n".join)


@given(prefix=texts, suffix=texts, room=st.integers(0, 300))
def test_what_is_left_fits_and_touches_the_cursor(prefix: str, suffix: str, room: int) -> None:
    left, right = trim_document(prefix, suffix, room)
    assert len(left) + len(right) <= room
    assert prefix.endswith(left)
    assert suffix.startswith(right)


@given(prefix=texts, suffix=texts)
def test_what_fits_is_not_cut(prefix: str, suffix: str) -> None:
    assert trim_document(prefix, suffix, len(prefix) + len(suffix)) == (prefix, suffix)


def test_cuts_are_at_line_starts() -> None:
    lines = "".join(f"line number {number}\n" for number in range(1000))
    left, right = trim_document(lines, lines, 4000)
    assert left.startswith("line number ")
    assert right.endswith("\n")
    assert len(left) + len(right) > 3000 * 0.75


def test_a_long_single_line_is_cut_all_the_same() -> None:
    left, right = trim_document("x" * 10_000, "y" * 10_000, 1000)
    assert len(left) >= 500
    assert len(right) >= 250


def test_typing_rarely_moves_the_cut() -> None:
    before = "".join(f"value_{number} = {number}\n" for number in range(2000))
    after = "".join(f"other_{number} = {number}\n" for number in range(2000))
    starts, suffixes = set(), set()
    for typed in range(500):
        prefix = before + "x" * typed
        left, right = trim_document(prefix, after, 8000)
        starts.add(len(prefix) - len(left))
        suffixes.add(right)
    assert len(starts) <= 3
    assert len(suffixes) <= 2


def test_the_suffix_keeps_a_quarter_if_it_needs_it() -> None:
    left, right = trim_document("p\n" * 5000, "s\n" * 5000, 1000)
    assert len(right) == 250
    assert len(left) >= 500
    assert trim_document("p\n" * 5000, "s\n", 1000)[1] == "s\n"


def test_context_gives_way_to_the_document_file_by_file() -> None:
    files = (ContextFile("a", "x" * 150), ContextFile("b", "x" * 150))
    cut = trim("p" * 900, "", files, max_prompt_tokens=400, chars_per_token=2.0)
    assert cut.context == files[:1]
    assert len(cut.prefix) <= 800 - 150
    roomy = trim("p", "", files, max_prompt_tokens=400, chars_per_token=2.0)
    assert roomy.context == files


def test_no_limit_cuts_nothing() -> None:
    cut = trim("p" * 10**6, "s", max_prompt_tokens=None, chars_per_token=3.0)
    assert (len(cut.prefix), cut.suffix) == (10**6, "s")
