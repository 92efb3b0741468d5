"""The figures of a report, as SVG text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cato_backend.config import TargetsConfig
from cato_backend.requests import USABLE_S
from cato_backend.wire.headers import TASKS_OF_PEOPLE, Task
from cato_lab.report.curves import Curves
from cato_lab.report.style import (
    Axes,
    Palette,
    as_share,
    drawing,
    fate_colours,
    fate_handles,
    percent_label,
)
from cato_lab.scoring.scores import ClassScore, Latencies
from cato_lab.scoring.statistics import Interval
from cato_lab.simulation.study import Point

_METRIC = {
    Task.COMPLETION: "TTFT",
    Task.GENERATION: "TTFT",
    Task.SUMMARIZATION: "E2E",
    Task.TRANSLATION: "E2E",
}


class Figures:
    """Draws the points of one study."""

    def __init__(self, points: Sequence[Point], load_name: str) -> None:
        self._points = points
        self._curves = Curves(points, load_name)

    def goodput(self) -> str:
        """Over all classes, through the knee."""
        with drawing(3.9) as drawn:
            axes = drawn.figure.add_subplot()
            self._curves.over_load(axes, _goodput)
            axes.set_title("Goodput of all classes")
            as_share(axes)
            drawn.legend(self._curves.handles())
        return drawn.svg

    def classes(self) -> str:
        """Goodput of each class, through the knee."""
        return self._four(
            lambda axes, task: self._curves.over_load(
                axes, lambda p: p.of_class(task, lambda score: score.goodput)
            ),
        )

    def latencies(self, load: float) -> str:
        """Return the distribution of what each class is promised, at one load."""
        return self._four(
            lambda axes, task: self._curves.distributions(
                axes, task, load, _ttft if _METRIC[task] == "TTFT" else _e2e, _due_s(task)
            ),
        )

    def usable(self, load: float) -> str:
        """Completions: time to usable text, and how many had it in time."""
        with drawing(3.4) as drawn:
            left, right = drawn.figure.subplots(1, 2)
            self._curves.distributions(left, Task.COMPLETION, load, _e2e, USABLE_S)
            left.set_title("Time to usable text")
            self._curves.over_load(right, lambda p: p.of_class(Task.COMPLETION, lambda s: s.usable))
            right.set_title(f"Usable within {USABLE_S * 1e3:.0f} ms")
            for axes in (left, right):
                as_share(axes)
            drawn.legend(self._curves.handles())
        return drawn.svg

    def utilization(self) -> str:
        """Work of met requests over capacity, and the share of time in which engines computed."""
        with drawing(3.4) as drawn:
            left, right = drawn.figure.subplots(1, 2)
            self._curves.over_load(left, _utilization)
            left.set_title("Utilization: work of met requests")
            self._curves.over_load(right, _busy)
            right.set_title("Busy share (says little)")
            for axes in (left, right):
                axes.yaxis.set_major_formatter(percent_label)
                axes.set_ylim(bottom=0)
            drawn.legend(self._curves.handles())
        return drawn.svg

    def misses(self, load: float) -> str:
        """Return the figure of met and missed requests by reason, of those that count."""
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
            drawn.legend(fate_handles(colours))
        return drawn.svg

    # -- parts ---------------------------------------------------------------------------------

    def _four(self, draw: Callable[[Axes, Task], None]) -> str:
        with drawing(5.6) as drawn:
            for axes, task in zip(drawn.figure.subplots(2, 2).flat, TASKS_OF_PEOPLE, strict=True):
                axes.set_title(f"{task.value} ({_METRIC[task]})")
                if self._curves.occurs(task):
                    draw(axes, task)
                    as_share(axes)
                else:
                    axes.set(xticks=[], yticks=[], xlabel="no such request")
            drawn.legend(self._curves.handles())
        return drawn.svg


def _due_s(task: Task) -> float | None:
    """Return the target, where it is the same for all requests of the task."""
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


@dataclass(frozen=True, slots=True)
class Fleets:
    """The fleets of one GPU: replicas by developers, None where no tried fleet is large enough."""

    gpu: str
    counts: Mapping[int, int | None]
    per_month: float | None
    """What one costs; None where that is not known."""

    def found(self) -> list[tuple[int, int]]:
        """Return developers with their replicas, ascending, where a fleet was found."""
        return [(people, n) for people, n in sorted(self.counts.items()) if n is not None]


def draw_fleets(fleets: Sequence[Fleets], currency: str) -> str:
    """Return the SVG: replicas on the left, on the right their cost of those with a price."""
    palette = Palette([each.gpu for each in fleets])
    with drawing(4.2) as drawn:
        left, right = drawn.figure.subplots(1, 2)
        for each in fleets:
            _line(left, each, palette, 1.0)
            if each.per_month is not None:
                _line(right, each, palette, each.per_month)
        left.set_title("GPUs that are enough")
        right.set_title(f"{currency} a month")
        for axes in (left, right):
            axes.set_xlabel("developers who type all the time")
            axes.set_ylim(bottom=0)
        drawn.legend(palette.handles())
    return drawn.svg


def _line(axes: Axes, fleets: Fleets, palette: Palette, factor: float) -> None:
    found = fleets.found()
    people = [developers for developers, _ in found]
    values = [factor * count for _, count in found]
    axes.plot(people, values, marker="o", **palette.line(fleets.gpu))
