"""A study as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from cato_backend.wire.headers import Task
from cato_lab.scoring.records import plain, score_record
from cato_lab.scoring.statistics import Interval
from cato_lab.simulation.study import CellResult, Point, points


def study_record(results: Sequence[CellResult], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings, means with their intervals, and every single run."""
    return {
        "tier": "virtual time",
        "version": version("cato-lsp"),
        "settings": dict(settings),
        "points": [_point(point) for point in points(results)],
        "runs": [
            {
                "policy": result.policy,
                "load": result.load,
                "seed": result.seed,
                "scheduler_events": result.events,
                "wall_s": plain(result.wall_s),
                "score": score_record(result.score),
            }
            for result in results
        ],
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "policy": point.policy,
        "load": point.load,
        "goodput": _interval(point.over(lambda score: score.overall.goodput)),
        "goodput_per_s": _interval(point.over(lambda score: score.goodput_rate)),
        "utilization": _interval(point.over(lambda score: score.utilization)),
        "classes": {
            task.value: _interval(point.of_class(task, lambda score: score.goodput))
            for task in Task
        },
    }


def _interval(found: Interval) -> dict[str, Any]:
    return {"mean": plain(found.mean), "low": plain(found.low), "high": plain(found.high)}
