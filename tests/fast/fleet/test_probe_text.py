"""Prompts of calibrations."""

from __future__ import annotations

from cato_backend.fleet.calibration_course import ProbeTexts


def test_a_longer_prompt_of_the_same_number_begins_alike() -> None:
    texts = ProbeTexts("salt")
    assert texts.text(3, 5000).startswith(texts.text(3, 4000))
    assert len(texts.text(3, 4000)) == 4000


def test_other_numbers_and_other_runs_share_no_head() -> None:
    heads = {ProbeTexts(salt).text(number, 64) for salt in ("a", "b") for number in range(50)}
    assert len(heads) == 100
