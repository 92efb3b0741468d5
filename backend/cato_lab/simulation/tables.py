"""What a study found, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.wire.headers import Task
from cato_lab.scoring.records import milliseconds, percent, text_table
from cato_lab.scoring.statistics import Interval
from cato_lab.simulation.study import Point

_LATENCIES = (
    *("complet. TTFT p95 ms", "generat. TTFT p95 ms"),
    *("summar. E2E p95 ms", "translat. E2E p95 ms"),
)


def study_table(points: Sequence[Point], load_name: str) -> str:
    """Return a line for each policy at each load: goodput in %, latencies in milliseconds.

    `load_name` says what the load is counted in.
    """
    headings = ["policy", load_name, "goodput %", *(f"{task} %" for task in Task), "usable %"]
    headings += [*_LATENCIES, "util. %", "cached %"]
    return text_table(headings, [_row(point) for point in points])


def _row(point: Point) -> list[str]:
    completion = Task.COMPLETION
    return [
        point.policy,
        f"{point.load:g}",
        _share(point.over(lambda score: score.overall.goodput)),
        *(_share(point.of_class(task, lambda score: score.goodput)) for task in Task),
        _share(point.of_class(completion, lambda score: score.usable)),
        *_latencies(point),
        percent(point.over(lambda score: score.utilization).mean),
        percent(point.over(lambda score: score.overall.cached_share).mean),
    ]


def _latencies(point: Point) -> list[str]:
    by_first = (Task.COMPLETION, Task.GENERATION)
    found = [point.of_class(task, lambda score: score.ttft.at(95)).mean for task in by_first]
    by_last = (Task.SUMMARIZATION, Task.TRANSLATION)
    found += [point.of_class(task, lambda score: score.e2e.at(95)).mean for task in by_last]
    return [milliseconds(seconds) for seconds in found]


def _share(interval: Interval) -> str:
    if interval.half == interval.half:
        return f"{percent(interval.mean)} ±{100 * interval.half:.1f}"
    return percent(interval.mean)
