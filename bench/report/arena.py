"""Claims on sampled worlds: the lead over the best baseline of each, as a whole and in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from bench.report.claims import Claim, Target, mean, single
from cato_backend.wire.headers import Task
from cato_lab.scoring.statistics import percentile

Document = Mapping[str, Any]
Played = Mapping[str, Any]
Share = Mapping[str, int]
_FEWEST_COUNTED = 20
"""Requests; a smaller part of a world says nothing."""


def arena(document: Document) -> Iterator[Claim]:
    """Yield the leads over all requests, then in the first minute and by class."""
    leads, worlds = document["leads"], document["worlds"]
    for group, bound in (("above the knee", 5.0), ("below the knee", 0.0)):
        points = [leads[str(w["world"])] for w in worlds if group in w["groups"]]
        statement = f"median lead, {len(points)} worlds {group}"
        yield single(statement, percentile(sorted(points), 0.5), "points", Target(least=bound))
    ascending = sorted(leads.values())
    yield mean(f"mean lead, {len(ascending)} worlds", ascending, "points")
    fifth = percentile(ascending, 0.05)
    yield single("5th percentile of the leads", fifth, "points", Target(least=-0.5))
    yield single("worst lead", ascending[0], "points", Target(least=-2))
    yield from _parts(document)


def _parts(document: Document) -> Iterator[Claim]:
    start = _leads(document, lambda played: played["start"])
    yield from _median("in the first minute after a start", start, -1.0)
    for task in Task:
        yield from _median(f"of {task}s", _leads(document, _of_class(task)), -5.0)


def _median(part: str, points: Sequence[float], least: float) -> Iterator[Claim]:
    if points:
        statement = f"median lead {part}, {len(points)} worlds"
        yield single(statement, median(points), "points", Target(least=least))


def _of_class(task: Task) -> Callable[[Played], Share | None]:
    return lambda played: played["classes"].get(task)


def _leads(document: Document, part: Callable[[Played], Share | None]) -> list[float]:
    """Return the leads in a part of each world, over what is best in the whole of it."""
    found: list[float] = []
    for world in document["worlds"]:
        others = dict(world["played"])
        ours = part(others.pop(document["policy"]))
        theirs = part(max(others.values(), key=lambda played: _percent(played["all"])))
        if ours and theirs and ours["counted"] >= _FEWEST_COUNTED:
            found.append(_percent(ours) - _percent(theirs))
    return found


def _percent(share: Share) -> float:
    return 100 * share["met"] / share["counted"] if share["counted"] else 0.0
