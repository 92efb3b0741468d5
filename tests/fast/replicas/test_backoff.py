"""Waits between looks at a replica that is away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.replicas.watch import Backoff


@pytest.mark.parametrize(
    ("failures", "delay_s"), [(1, 1.0), (2, 1.6), (3, 2.56), (8, 26.84), (9, 30.0), (10**9, 30.0)]
)
def test_waits_grow_to_a_limit(failures: int, delay_s: float) -> None:
    assert Backoff().delay_s(failures) == pytest.approx(delay_s, abs=0.01)


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_jitter_stays_within_its_share(failures: int, chance: float) -> None:
    middle = Backoff().delay_s(failures)
    assert 0.8 * middle <= Backoff().delay_s(failures, chance) <= 1.2 * middle + 1e-9
