"""Line ends: what engines get, and where that is in a document with others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_lsp.text import at_lf, length_of, with_lf

TEXTS = st.text("ab\r\n", max_size=12)


@given(TEXTS, TEXTS)
def test_a_place_is_found_again(before: str, after: str) -> None:
    if before.endswith("\r") and after.startswith("\n"):
        return  # No cursor stands within a line end.
    text, offset = at_lf(before + after, len(before))
    assert "\r" not in text
    assert (text[:offset], text[offset:]) == (with_lf(before), with_lf(after))


@given(TEXTS, TEXTS, TEXTS)
def test_the_lines_of_the_document_are_measured(before: str, wanted: str, after: str) -> None:
    length = length_of(with_lf(wanted), f"{before}{wanted}|{after}", len(before))
    assert length == len(wanted)


@pytest.mark.parametrize(
    ("wanted", "text", "length"),
    [
        ("a\nb", "a\r\nb", 4),
        ("a\nb", "a\rb", 3),
        ("a\nb", "a b", None),
        ("a\n", "a", None),
        ("a\n\n", "a\r\n\r\n", 5),
        ("", "x", 0),
        ("ab", "a", None),
    ],
)
def test_lengths(wanted: str, text: str, length: int | None) -> None:
    assert length_of(wanted, text, 0) == length
