"""The order in which units are translated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cato_backend.tasks.translations import MOST_LEVELS, levels


def test_what_is_used_comes_first() -> None:
    assert levels([[1, 2], [2], []]) == ((2,), (1,), (0,))
    assert levels([[], [], [0]]) == ((0, 1), (2,))


def test_a_circle_is_one_level() -> None:
    assert levels([[1], [0], [0]]) == ((0, 1), (2,))
    assert levels([[0], [0]]) == ((0,), (1,))


def test_long_chains_are_cut() -> None:
    chain = [[unit - 1] if unit else [] for unit in range(10)]
    assert len(levels(chain)) == MOST_LEVELS


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    count = draw(st.integers(0, 12))
    units = st.lists(st.integers(0, count - 1), max_size=4) if count else st.just([])
    return draw(st.lists(units, min_size=count, max_size=count))


@given(graphs())
def test_each_unit_stands_once_and_not_before_what_it_uses(uses: list[list[int]]) -> None:
    found = levels(uses)
    level_of = {unit: level for level, units in enumerate(found) for unit in units}
    assert sorted(unit for units in found for unit in units) == list(range(len(uses)))
    for unit, used in ((u, v) for u, all_used in enumerate(uses) for v in all_used):
        in_return = unit in _reach(used, uses)
        assert level_of[used] <= level_of[unit] or in_return
        if in_return:
            assert level_of[used] == level_of[unit]


def _reach(start: int, uses: list[list[int]]) -> set[int]:
    seen = {start}
    while new := {v for u in seen for v in uses[u]} - seen:
        seen |= new
    return seen
