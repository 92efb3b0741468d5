"""How many requests on a replica are not ours."""

from __future__ import annotations

import pytest

from cato_backend.fleet.scrape import Others


@pytest.mark.parametrize(
    ("looks", "others"),
    [
        ([(5, 2)] * 3, 3),
        ([(5, 2)] * 2, 0),  # Not yet often enough.
        ([(5, 2), (4, 2), (6, 2)], 2),
        ([(5, 2), (2, 2), (5, 2)], 0),  # Ours, caught as they came or went.
        ([(1, 4)] * 3, 0),
        ([(5, 2), (None, 2), (5, 2)], 0),
        ([(None, 2)] * 4, 0),
        ([(9, 0)] * 3 + [(0, 0)], 0),
    ],
)
def test_the_fewest_of_three_looks(looks: list[tuple[int | None, int]], others: int) -> None:
    seen = Others()
    assert [seen.look(*look) for look in looks][-1] == others
