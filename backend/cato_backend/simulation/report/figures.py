"""The figures of a report, as SVG text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import TypeAlias

from cato_backend.config import TargetsConfig
from cato_backend.requests import USABLE_S
from cato_backend.simulation.report.style import (
    INK,
    Axes,
    Looks,
    as_share,
    drawing,
    fate_colours,
    fate_handles,
    number_label,
    percent_label,
)
from cato_backend.simulation.scoring import ClassScore, Latencies
from cato_backend.simulation.statistics import Interval
from cato_backend.simulation.study import Point
from cato_backend.wire.headers import Task

_SEEDS_FOR_A_BAND = 5
"""With few, Student's t is so wide that a band hides everything."""

Of: TypeAlias = Callable[[Point], Interval]

_METRIC = {
    Task.COMPLETION: "TTFT",
    Task.GENERATION: "TTFT",
    Task.SUMMARIZATION: "E2E",
    Task.TRANSLATION: "E2E",
}


class Figures:
    """Draws the points of one study."""

    def __init__(self, points: Sequence[Point], load_name: str) -> None:
        self._points, self._load_name = points, load_name
        self._policies = list(dict.fromkeys(point.policy for point in points))
        self._looks = Looks(self._policies)

    def goodput(self) -> str:
        """Over all classes, through the knee."""
        with drawing(3.9) as drawn:
            axes = drawn.figure.add_subplot()
            self._lines(axes, _goodput)
            axes.set_title("Goodput of all classes")
            as_share(axes)
            drawn.legend(self._looks.handles(), 5)
        return drawn.svg

    def classes(self) -> str:
        """Goodput of each class, through the knee."""
        return self._four(
            lambda axes, task: self._lines(
                axes, lambda p: p.of_class(task, lambda score: score.goodput)
            ),
        )

    def latencies(self, load: float) -> str:
        """The distribution of what each class is promised, at one load."""
        return self._four(
            lambda axes, task: self._distributions(
                axes, task, load, _ttft if _METRIC[task] == "TTFT" else _e2e, _due_s(task)
            ),
        )

    def usable(self, load: float) -> str:
        """Completions: time to usable text, and how many had it in time."""
        with drawing(3.4) as drawn:
            left, right = drawn.figure.subplots(1, 2)
            self._distributions(left, Task.COMPLETION, load, _e2e, USABLE_S)
            left.set_title("Time to usable text")
            self._lines(right, lambda p: p.of_class(Task.COMPLETION, lambda s: s.usable))
            right.set_title(f"Usable within {USABLE_S * 1e3:.0f} ms")
            for axes in (left, right):
                as_share(axes)
            drawn.legend(self._looks.handles(), 5)
        return drawn.svg

    def utilization(self) -> str:
        """Work of met requests over capacity, and the share of time in which engines computed."""
        with drawing(3.4) as drawn:
            left, right = drawn.figure.subplots(1, 2)
            self._lines(left, _utilization)
            left.set_title("Utilization: work of met requests")
            self._lines(right, _busy)
            right.set_title("Busy share (says little)")
            for axes in (left, right):
                axes.yaxis.set_major_formatter(percent_label)
                axes.set_ylim(bottom=0)
            drawn.legend(self._looks.handles(), 5)
        return drawn.svg

    def misses(self, load: float) -> str:
        """Of the requests that counted: met, and why not."""
        found = [point for point in self._points if point.load == load]
        rows = [(point.policy, _fates(point)) for point in reversed(found)]
        colours = fate_colours(sorted({kind for _, of in rows for kind in of if kind != "met"}))
        with drawing(1.0 + 0.3 * len(rows)) as drawn:
            axes = drawn.figure.add_subplot()
            for policy, fates in rows:
                _stack(axes, policy, [(kind, fates.get(kind, 0.0)) for kind in colours], colours)
            axes.set_xlim(0, 1)
            axes.xaxis.set_major_formatter(percent_label)
            axes.set_axisbelow(True)
            axes.grid(visible=False, axis="y")
            drawn.legend(fate_handles(colours), 4)
        return drawn.svg

    # -- parts ---------------------------------------------------------------------------------

    def _four(self, draw: Callable[[Axes, Task], None]) -> str:
        with drawing(5.6) as drawn:
            for axes, task in zip(drawn.figure.subplots(2, 2).flat, Task, strict=True):
                draw(axes, task)
                axes.set_title(f"{task.value} ({_METRIC[task]})")
                as_share(axes)
            drawn.legend(self._looks.handles(), 5)
        return drawn.svg

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

    def _distributions(
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
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(number_label)
        axes.set_xlabel("seconds")


def _due_s(task: Task) -> float | None:
    """The target, where it is the same for all requests of the task."""
    return None if task is Task.TRANSLATION else TargetsConfig().of(task).budget_s


def _goodput(point: Point) -> Interval:
    return point.over(lambda score: score.overall.goodput)


def _utilization(point: Point) -> Interval:
    return point.over(lambda score: score.utilization)


def _busy(point: Point) -> Interval:
    return point.over(lambda score: score.busy_share)


def _ttft(score: ClassScore) -> Latencies:
    return score.ttft


def _e2e(score: ClassScore) -> Latencies:
    return score.e2e


def _pooled(
    points: Sequence[Point], task: Task, of: Callable[[ClassScore], Latencies]
) -> list[float]:
    scores = [result.score.classes.get(task) for point in points for result in point.results]
    return sorted(value for score in scores if score is not None for value in of(score).curve)


def _fates(point: Point) -> dict[str, float]:
    """Shares of the counted, all seeds together."""
    scores = [result.score.overall for result in point.results]
    counted = sum(score.counted for score in scores) or 1
    fates = {"met": sum(score.met for score in scores) / counted}
    for score in scores:
        for kind, count in score.misses.items():
            fates[kind] = fates.get(kind, 0.0) + count / counted
    return fates


def _stack(
    axes: Axes, policy: str, parts: Sequence[tuple[str, float]], colours: dict[str, str]
) -> None:
    left = 0.0
    for kind, share in parts:
        axes.barh(policy, share, left=left, color=colours[kind], height=0.66)
        if share > 0.04:
            axes.text(
                left + share / 2,
                policy,
                f"{share:.0%}",
                ha="center",
                va="center",
                fontsize=8.5,
                color="white",
            )
        left += share
