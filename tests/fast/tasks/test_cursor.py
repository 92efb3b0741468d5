"""Prompts that clients have rendered around a cursor, taken apart again."""

from __future__ import annotations

import pytest

from cato_backend.tasks.cursor import CursorText, asks_at_cursor, cursor_text

CODE_LLAMA = ("▁<PRE> {}▁<SUF>{}▁<MID>", "<PRE> {} <SUF>{} <MID>", "<PRE>{}<SUF>{}<MID>")


@pytest.mark.parametrize("form", CODE_LLAMA)
@pytest.mark.parametrize(("prefix", "suffix"), [("a = ", ")"), ("", ""), ("a", "\n")])
def test_code_llama_s_markers_however_they_are_spelled(form: str, prefix: str, suffix: str) -> None:
    assert cursor_text(form.format(prefix, suffix)) == CursorText(prefix, suffix)


@pytest.mark.parametrize(
    ("prompt", "prefix", "suffix"),
    [
        ("<fim_prefix>P<fim_suffix>S<fim_middle>", "P", "S"),
        ("<fim_prefix><fim_suffix>S<fim_middle>P", "P", "S"),
        ("<filename>a.py\n<fim_suffix>S<fim_prefix>P<fim_middle>", "P", "S"),
        ("<|code_suffix|>S<|code_prefix|>P<|code_middle|>", "P", "S"),
        ("[SUFFIX]S[PREFIX]P", "P", "S"),
        ("<s>[SUFFIX]S[PREFIX]+++++ a.py\nP", "+++++ a.py\nP", "S"),
        ("<[fim-suffix]>S<[fim-prefix]>P<[fim-middle]>", "P", "S"),
    ],
)
def test_infills_in_every_order(prompt: str, prefix: str, suffix: str) -> None:
    assert cursor_text(prompt) == CursorText(prefix, suffix)


@pytest.mark.parametrize(
    ("prompt", "prefix", "suffix"),
    [
        (
            "x\n<|editable_region_start|>\nP<|user_cursor_is_here|>S\n<|editable_region_end|>",
            "P",
            "S\n<|editable_region_end|>",
        ),
        (
            "<[fim-suffix]>s<[fim-prefix]>h\n<<<<<<< CURRENT\nP<|user_cursor|>S\n=======\n",
            "P",
            "S\n=======\n",
        ),
        ("h<|marker_1|>\nP<|user_cursor|>S<|marker_2|>", "P", "S<|marker_2|>"),
        ("<|code_to_edit|>P<|cursor|>S", "<|code_to_edit|>P", "S"),
    ],
)  # fmt: skip
def test_next_edits_are_split_at_the_cursor_of_their_region(
    prompt: str, prefix: str, suffix: str
) -> None:
    assert cursor_text(prompt) == CursorText(prefix, suffix)


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    return 1\n",
        "",
        "<fim_prefix> alone",
        "<fim_middle>a<fim_suffix>b<fim_prefix>",
        "[PREFIX] and [SUFFIX]",
        "the token <|user_cursor_is_here|>",
    ],
)
def test_plain_texts(text: str) -> None:
    assert cursor_text(text) is None
    assert not asks_at_cursor(text)
