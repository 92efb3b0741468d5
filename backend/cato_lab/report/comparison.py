"""Compares our policies with the best of the others, at each load and in each class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite, nan

from cato_backend.wire.headers import Task
from cato_lab.scoring.records import percent
from cato_lab.scoring.scores import Score
from cato_lab.scoring.statistics import Interval
from cato_lab.simulation.study import Point, difference

OURS = "cato"
"""What the names of our own policies begin with."""
_WHAT = (
    "Goodput less that of the best other policy in this very class at this load, in points, with "
    "its 95% interval over the seeds, paired. Green and red: beyond the interval."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One of our policies at one load, in one class (None: over all)."""

    policy: str
    load: float
    task: Task | None
    other: str
    lead: Interval
    """Our goodput less theirs."""

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval leaves zero out, else nothing."""
        if isfinite(self.lead.half) and self.lead.low > 0:
            return "better"
        return "worse" if isfinite(self.lead.half) and self.lead.high < 0 else ""


def comparisons(points: Sequence[Point]) -> Iterator[Comparison]:
    """Yield the comparison of each of our points with the best other in each class, if any."""
    for ours in points:
        others = [p for p in points if p.load == ours.load and not p.policy.startswith(OURS)]
        if ours.policy.startswith(OURS) and others:
            for task in (None, *Task):
                yield _with_best(ours, others, task)


def comparison_section(points: Sequence[Point], load_name: str) -> str:
    """Return the table; empty where there is nothing to compare."""
    found = list(comparisons(points))
    if not found:
        return ""
    rows: dict[tuple[str, float], list[Comparison]] = {}
    for each in found:
        rows.setdefault((each.policy, each.load), []).append(each)
    heads = "".join(f"<th>{head}" for head in ("policy", escape(load_name), "all", *Task))
    body = "".join(
        f"<tr><td>{escape(policy)}<td>{load:g}{''.join(map(_cell, of))}"
        for (policy, load), of in rows.items()
    )
    table = f"<div class=wide><table><tr>{heads}{body}</table></div>"
    return f"<h2>Against the best other</h2><p class=soft>{_WHAT}</p>{table}"


def _with_best(ours: Point, others: Sequence[Point], task: Task | None) -> Comparison:
    value = _goodput_of(task)

    def mean(point: Point) -> float:
        found = point.over(value).mean
        return found if isfinite(found) else -1.0

    best = max(others, key=mean)
    return Comparison(ours.policy, ours.load, task, best.policy, difference(ours, best, value))


def _goodput_of(task: Task | None) -> Callable[[Score], float]:
    def goodput(score: Score) -> float:
        of = score.overall if task is None else score.classes.get(task)
        return nan if of is None else of.goodput

    return goodput


def _cell(found: Comparison) -> str:
    if not isfinite(found.lead.mean):
        return "<td>-"
    half = f" ±{percent(found.lead.half)}" if isfinite(found.lead.half) else ""
    lead = f"{100 * found.lead.mean:+.1f}"
    return f"<td class='{found.verdict}'>{lead}<i>{half}<br>{escape(found.other)}</i>"
