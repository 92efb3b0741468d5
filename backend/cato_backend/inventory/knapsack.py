"""What is worth most on one GPU: a bounded knapsack, solved exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BETTER = 1e-9
Fill = Mapping[int, int]
"""Replicas by model."""


@dataclass(frozen=True, slots=True)
class Item:
    """Replicas of one model."""

    model: int
    worth: float
    """Of each of them."""
    size: int
    """Bytes, above 0."""
    most: int


class Knapsack:
    """Looks depth-first, and no further than the bound of the fractional knapsack allows."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = sorted(items, key=lambda each: -each.worth / each.size)
        self._fill: dict[int, int] = {}
        self._best: tuple[Fill, float] = ({}, 0.0)

    def best(self, room: int) -> tuple[Fill, float]:
        """Return the replicas that are worth most together, and their worth."""
        self._search(0, room, 0.0)
        return self._best

    def _search(self, place: int, room: int, worth: float) -> None:
        if worth > self._best[1] + _BETTER:
            self._best = dict(self._fill), worth
        if place == len(self._items):
            return
        item = self._items[place]
        if worth + item.worth / item.size * room <= self._best[1] + _BETTER:
            return
        for count in range(min(item.most, room // item.size), -1, -1):
            if count:
                self._fill[item.model] = count
            else:
                self._fill.pop(item.model, None)
            self._search(place + 1, room - count * item.size, worth + count * item.worth)
