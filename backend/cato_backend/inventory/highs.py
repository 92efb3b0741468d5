"""Programs for HiGHS: few rows, many columns, each row at least so much. An extra, `placement`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """A variable of 0 or more: its cost, and its entries by row."""

    cost: float
    entries: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Solution:
    """The cheapest that was found."""

    value: float
    amounts: tuple[float, ...]
    """Of each column."""
    prices: tuple[float, ...]
    """Of each row: what one more costs. Of a program in whole numbers they say nothing."""

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
