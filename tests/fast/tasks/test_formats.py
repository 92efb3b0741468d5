"""Each family's prompt, byte for byte."""

from __future__ import annotations

import pytest

from cato_backend.tasks.families import FORMATS
from cato_backend.tasks.fim import FimFormat, FimOrder
from cato_backend.tasks.infill import ContextFile, render

BY_NAME = {known.name: known for known in FORMATS}
PSM, SPM = FimOrder.PREFIX_FIRST, FimOrder.SUFFIX_FIRST
FILE = ContextFile("lib/a.py", "x = 1")

PLAIN = [
    ("cato-embedded", SPM, "<|fim_prefix|><|fim_suffix|>S<|fim_middle|>P"),
    ("qwen-coder", PSM, "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
    ("qwen3-coder", PSM, "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
    ("starcoder2", SPM, "<fim_prefix><fim_suffix>S<fim_middle>P"),
    ("starcoder2", PSM, "<fim_prefix>P<fim_suffix>S<fim_middle>"),
    ("granite-code", SPM, "<fim_prefix><fim_suffix>S<fim_middle>P"),
    ("granite-code", PSM, "<fim_prefix>P<fim_suffix>S<fim_middle>"),
    ("granite3", PSM, "<fim_prefix>P<fim_suffix>S<fim_middle>"),
    ("granite4", PSM, "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
    ("codegemma", PSM, "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
    ("codellama", PSM, "▁<PRE> P▁<SUF>S▁<MID>"),
    ("deepseek-coder", PSM, "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>"),
    ("codestral", SPM, "[SUFFIX]S[PREFIX]P"),
    ("seed-coder", SPM, "<[fim-suffix]>S<[fim-prefix]>P<[fim-middle]>"),
]

WITH_CONTEXT = [
    ("cato-embedded", "<|fim_prefix|><|fim_suffix|>S<|fim_middle|># lib/a.py\nx = 1\n\nP"),
    (
        "qwen-coder",
        "<|repo_name|>workspace\n<|file_sep|>lib/a.py\nx = 1\n<|file_sep|>b.py\n"
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
    ),
    ("starcoder2", "<file_sep>x = 1<file_sep><fim_prefix><fim_suffix>S<fim_middle>P"),
    (
        "codegemma",
        "<|file_separator|>x = 1<|file_separator|><|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
    ),
    (
        "deepseek-coder",
        "<｜fim▁begin｜># lib/a.py\nx = 1\n\nP<｜fim▁hole｜>S<｜fim▁end｜>",
    ),
    ("codestral", "[SUFFIX]S[PREFIX]# lib/a.py\nx = 1\n\nP"),
]


@pytest.mark.parametrize(("family", "order", "expected"), PLAIN)
def test_prompt_of_each_trained_order(family: str, order: FimOrder, expected: str) -> None:
    assert render(BY_NAME[family], "P", "S", order=order).text == expected


def test_every_family_and_order_is_in_the_table() -> None:
    trained = {(known.name, order) for known in FORMATS for order in known.orders}
    assert {(family, order) for family, order, _ in PLAIN} == trained


@pytest.mark.parametrize(("family", "expected"), WITH_CONTEXT)
def test_other_files_stand_where_the_family_saw_them(family: str, expected: str) -> None:
    assert render(BY_NAME[family], "P", "S", (FILE,), path="b.py").text == expected


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_an_order_that_was_not_trained_is_not_used(known: FimFormat) -> None:
    best = render(known, "P", "S").text
    for order in set(FimOrder) - set(known.orders):
        assert render(known, "P", "S", order=order).text == best


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_an_infill_ends_at_a_special_token(known: FimFormat) -> None:
    assert render(known, "P", "S").stop == known.stop != ()


def test_without_a_format_the_prompt_is_context_and_prefix() -> None:
    file = ContextFile("a.ts", "let x\n")
    assert render(None, "P", "S", (file,)).text == "// a.ts\nlet x\n\nP"
    assert render(None, "P", "S").stop == ()
