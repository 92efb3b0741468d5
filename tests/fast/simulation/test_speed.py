"""The map between real time and the engine's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_lab.simulation.fleet import Slowdown, Speed

_UNTIL_S = 20.0
speeds = st.builds(
    Speed,
    noise=st.sampled_from((0.0, 0.1, 0.4)),
    slowdowns=st.sampled_from(
        (
            (),
            (Slowdown(2.0, 5.0, 0.5),),
            (Slowdown(0.0, 1.0, 0.02), Slowdown(1.0, 3.0, 2.0)),
            (Slowdown(4.0, 1e6, 0.7),),
        )
    ),
    seed=st.integers(0, 5),
)


@given(speeds, st.floats(0.0, 40.0), st.floats(0.0, 40.0))
def test_both_directions_agree_and_time_only_goes_on(
    speed: Speed, now: float, later: float
) -> None:
    pace = speed.pace(_UNTIL_S)
    assert pace.real_time(pace.engine_time(now)) == pytest.approx(now, abs=1e-6)
    first, second = sorted((now, later))
    assert pace.engine_time(first) <= pace.engine_time(second)


def test_a_slowdown_costs_what_it_takes() -> None:
    pace = Speed(slowdowns=(Slowdown(2.0, 5.0, 0.5),)).pace(_UNTIL_S)
    assert [pace.engine_time(t) for t in (1.0, 2.0, 4.0, 5.0, 7.0)] == [1.0, 2.0, 3.0, 3.5, 5.5]


def test_a_lasting_slowdown_lasts_with_noise_too() -> None:
    speed = Speed(noise=0.2, slowdowns=(Slowdown(1.0, 1e6, 0.5),))
    pace = speed.pace(_UNTIL_S)
    assert pace.engine_time(11.0) == pytest.approx(6.0, rel=0.1)
