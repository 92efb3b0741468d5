"""What is usual on a replica."""

from __future__ import annotations

import pytest

from cato_backend.prediction.online import LoadAverages


def test_the_rate_of_even_traffic_is_found_from_its_first_seconds_on() -> None:
    usual = LoadAverages()
    for tenth in range(100):
        usual.sent(100, tenth / 10)
    assert usual.prefill_rate(10.0) == pytest.approx(1000, rel=0.05)
    for tenth in range(100, 3000):
        usual.sent(100, tenth / 10)
    assert usual.prefill_rate(300.0) == pytest.approx(1000, rel=0.05)
    assert usual.prefill_rate(330.0) == pytest.approx(1000 / 2.718, rel=0.05)


def test_one_prompt_is_no_rate_of_a_burst() -> None:
    usual = LoadAverages()
    assert usual.prefill_rate(0.0) == 0.0
    usual.sent(1000, 7.0)
    assert usual.prefill_rate(7.001) < 250


def test_the_usual_batch_follows_slowly() -> None:
    usual = LoadAverages()
    assert usual.decoding is None
    usual.decodes(4, 0.0)
    assert usual.decoding == 4
    usual.decodes(10, 3.0)
    assert 4 < usual.decoding < 5
    usual.decodes(10, 300.0)
    assert usual.decoding == pytest.approx(10, abs=0.01)
