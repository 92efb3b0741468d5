"""Curves of a report's figures: values over the load, and distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import TypeAlias

from matplotlib.lines import Line2D

from cato_backend.wire.headers import Task
from cato_lab.report.style import INK, Axes, Palette, in_seconds
from cato_lab.scoring.scores import ClassScore, Latencies
from cato_lab.scoring.statistics import Interval
from cato_lab.simulation.study import Point

_SEEDS_FOR_A_BAND = 5
"""With few, Student's t is so wide that a band hides everything."""

Of: TypeAlias = Callable[[Point], Interval]


class Curves:
    """Draws the points of one study on axes; each policy has one colour."""

    def __init__(self, points: Sequence[Point], load_name: str) -> None:
        self._points, self._load_name = points, load_name
        self._policies = list(dict.fromkeys(point.policy for point in points))
        self._looks = Palette(self._policies)

    def handles(self) -> list[Line2D]:
        """For the legend."""
        return self._looks.handles()

    def occurs(self, task: Task) -> bool:
        """Return whether any run had a request of this class."""
        return any(task in result.score.classes for p in self._points for result in p.results)

    def over_load(self, axes: Axes, value: Of) -> None:
        """Lines over the load; bars where there is one load only."""
        if len({point.load for point in self._points}) > 1:
            self._lines(axes, value)
        else:
            self._bars(axes, value)

    def _bars(self, axes: Axes, value: Of) -> None:
        """One bar per policy; the legend names them."""
        for place, point in enumerate(self._points):
            axes.bar(place, value(point).mean, color=self._looks.colour(point.policy), width=0.7)
        axes.set_axisbelow(True)
        axes.set_xticks([])
        axes.set_xlabel(f"at {self._points[0].load:g} {self._load_name}")

    def _lines(self, axes: Axes, value: Of) -> None:
        """One line per policy over the load, with its confidence band."""
        for policy in self._policies:
            of = [(p.load, value(p)) for p in self._points if p.policy == policy]
            of = sorted((load, found) for load, found in of if isfinite(found.mean))
            loads = [load for load, _ in of]
            means = [found.mean for _, found in of]
            axes.plot(loads, means, marker="o", **self._looks.line(policy))
            if len(self._points[0].results) >= _SEEDS_FOR_A_BAND:
                low, high = [found.low for _, found in of], [found.high for _, found in of]
                colour = self._looks.colour(policy)
                axes.fill_between(loads, low, high, alpha=0.12, color=colour, lw=0)
        axes.set_xlabel(self._load_name)

    def distributions(
        self,
        axes: Axes,
        task: Task,
        load: float,
        of: Callable[[ClassScore], Latencies],
        due_s: float | None,
    ) -> None:
        """One distribution function per policy, all seeds together, over a logarithmic axis."""
        for policy in self._policies:
            at = [p for p in self._points if (p.policy, p.load) == (policy, load)]
            values = _pooled(at, task, of)
            shares = [(rank + 1) / len(values) for rank in range(len(values))]
            shown = [(v, s) for v, s in zip(values, shares, strict=True) if v < inf]
            line = self._looks.line(policy)
            axes.plot([v for v, _ in shown], [s for _, s in shown], **line)
        if due_s is not None:
            axes.axvline(due_s, color=INK, linewidth=1, linestyle=":")
        in_seconds(axes)


def _pooled(
    points: Sequence[Point], task: Task, of: Callable[[ClassScore], Latencies]
) -> list[float]:
    scores = [result.score.classes.get(task) for point in points for result in point.results]
    return sorted(value for score in scores if score is not None for value in of(score).curve)
