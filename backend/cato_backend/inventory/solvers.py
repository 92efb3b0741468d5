"""The solvers of the packing: programs for HiGHS, and a bounded knapsack for one GPU."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_BETTER = 1e-9


@dataclass(frozen=True, slots=True)
class Column:
    """A variable of 0 or more: its cost, and its entries by row."""

    cost: float
    entries: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Solution:
    """The cheapest solution that was found."""

    value: float
    amounts: tuple[float, ...]
    """The amount of each column."""
    prices: tuple[float, ...]
    """The dual value of each row. Not meaningful for a program in whole numbers."""

    @property
    def counts(self) -> tuple[int, ...]:
        """The amounts as whole numbers."""
        return tuple(round(each) for each in self.amounts)


def solve(
    columns: Sequence[Column], least: Sequence[float], *, whole: bool, limit_s: float
) -> Solution | None:
    """Return the cheapest amounts whose rows reach `least`; None where none was found in time.

    `whole`: amounts are whole numbers. Raises ModuleNotFoundError where highspy is not installed.
    """
    highspy: Any = importlib.import_module("highspy")
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("time_limit", limit_s)
    solver.setOptionValue("threads", 1)
    for row in least:
        solver.addRow(row, highspy.kHighsInf, 0, [], [])
    for number, column in enumerate(columns):
        rows = list(column.entries)
        solver.addCol(
            column.cost, 0.0, highspy.kHighsInf, len(rows), rows, list(column.entries.values())
        )
        if whole:
            solver.changeColIntegrality(number, highspy.HighsVarType.kInteger)
    solver.run()
    if solver.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return None
    found = solver.getSolution()
    return Solution(
        solver.getInfo().objective_function_value,
        tuple(found.col_value[: len(columns)]),
        tuple(found.row_dual[: len(least)]),
    )


Fill = Mapping[int, int]
"""Replicas by model."""


@dataclass(frozen=True, slots=True)
class Item:
    """Replicas of one model."""

    model: int
    worth: float
    """The worth of each of them."""
    size: int
    """Bytes, above 0."""
    most: int


class Knapsack:
    """A bounded knapsack: depth-first search, pruned by the bound of the fractional knapsack."""

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
