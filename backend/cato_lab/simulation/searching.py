"""The search for the fewest replicas, or the most people, by trying numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from cato_lab.simulation.estimating import MOST_REPLICAS
from cato_lab.simulation.sizing import Candidate

_STEP_SHARE = 1 / 6
"""Of the number where a search begins: how far its first step goes."""
_PEOPLE_TOLERANCE = 0.03


def fewest_replicas(start: int, judge: Callable[[int], Candidate]) -> list[Candidate]:
    """Find the smallest number of replicas that is enough, from `start` on.

    Returns all counts that were tried, ascending; the largest that is not enough is among them.
    """
    found: dict[int, Candidate] = {}

    def is_too_few(count: int) -> bool:
        found[count] = judge(count)
        return not found[count].enough

    _largest(start, MOST_REPLICAS, 0.0, is_too_few)
    return [found[number] for number in sorted(found)]


def most_people(start: int, most: int, judge: Callable[[int], Candidate]) -> list[Candidate]:
    """Find the largest number of people, at most `most`, for whom a fleet is enough.

    It is found to within `_PEOPLE_TOLERANCE`. Returns all numbers that were tried, ascending.
    """
    found: dict[int, Candidate] = {}

    def are_served(people: int) -> bool:
        found[people] = judge(people)
        return found[people].enough

    _largest(start, most, _PEOPLE_TOLERANCE, are_served)
    return [found[number] for number in sorted(found)]


def _largest(start: int, most: int, tolerance: float, holds: Callable[[int], bool]) -> None:
    """Try numbers from 1 to `most` until the largest for which `holds` is known.

    Steps from `start` on double until the number lies between two tried ones; then these are
    halved. `holds` is taken for true up to some number, and for false beyond it.
    """
    low, high = 0, most + 1
    number = min(max(1, start), most)
    step = max(1, round(number * _STEP_SHARE))
    while high - low > max(1, round(low * tolerance)):
        if holds(number):
            low = number
        else:
            high = number
        if low and high <= most:
            number = (low + high) // 2
            continue
        number = max(1, high - step) if high <= most else min(most, low + step)
        step *= 2


def slice_of(developers: int, most: int) -> tuple[int, int]:
    """Return the people in one slice of a large team, and the number of slices."""
    parts = max(1, ceil(developers / most))
    return ceil(developers / parts), parts
