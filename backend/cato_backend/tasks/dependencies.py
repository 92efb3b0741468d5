"""The order in which units are translated: what is used comes before what uses it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

MOST_LEVELS = 4
"""Stages that follow one another; each waits for the slowest call of the one before."""


def levels(uses: Sequence[Collection[int]]) -> tuple[tuple[int, ...], ...]:
    """Returns the units by level, each level in their order; units of one level do not need each
    other, unless they use each other in a circle or are further than `MOST_LEVELS` from the first.

    `uses`: for each unit the indexes of those that it uses.
    """
    reached = [_reached(unit, uses) for unit in range(len(uses))]
    # What is used but does not use in return is below; the longest way down is the level.
    below = [
        {used for used in reached[unit] if unit not in reached[used]} for unit in range(len(uses))
    ]
    depth: dict[int, int] = {}
    for unit in sorted(range(len(uses)), key=lambda unit: len(below[unit])):
        depth[unit] = 1 + max((depth[used] for used in below[unit]), default=-1)
    found: dict[int, list[int]] = {}
    for unit in range(len(uses)):
        found.setdefault(min(depth[unit], MOST_LEVELS - 1), []).append(unit)
    return tuple(tuple(found[level]) for level in sorted(found))


def _reached(unit: int, uses: Sequence[Collection[int]]) -> set[int]:
    """All that the unit uses, directly or not."""
    seen: set[int] = set()
    waiting = list(uses[unit])
    while waiting:
        used = waiting.pop()
        if used not in seen:
            seen.add(used)
            waiting += uses[used]
    return seen - {unit}
