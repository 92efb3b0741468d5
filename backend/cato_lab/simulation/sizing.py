"""How many replicas a team needs: estimated from one replica, then simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from math import ceil, sqrt

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.capacity import CapacityCurve, measure
from cato_backend.provisioning.pool import DemandKind
from cato_backend.wire.headers import Task
from cato_lab.scoring.statistics import Interval
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.study import Cell, CellResult, Point, points, run_cells
from cato_lab.workloads.arrival import BLOCK_TOKENS, Arrival, Workload

SAMPLE = 3000
"""Requests that stand for the demand in the estimate."""
_MEASURED = 800
"""Requests at each load of the estimate."""
MOST_REPLICAS = 512
_MOST_CANDIDATES = 10
_FEWEST_COUNTED = 30
"""A class with fewer requests in all runs together is shown, and not judged."""
_WARMUP_SHARE = 1 / 6
"""Of a run: caches are cold, and nothing is scored."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """From the engine model of a single replica, with an ideal router in front of it."""

    rate: float
    """Requests per second of the demand."""
    replicas: int
    goals: Mapping[Task, float]
    """What share of each task has to be met: the wished one, of what an idle replica reaches."""
    reach: Mapping[Task, float]
    """What an idle replica reaches."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A simulated fleet."""

    replicas: int
    classes: Mapping[Task, Interval]
    """Goodput over the seeds."""
    overall: Interval
    enough: bool


def estimate(
    workload: Workload, profile: Profile, goodput: float, requests: int = _MEASURED
) -> Estimate:
    """Return the smallest count whose single replicas would keep every class at its goal."""
    sample = _sample(workload)
    rate = len(sample) / max(1e-9, sample[-1].time - sample[0].time)
    curve = _whole(measure(profile, list(kinds_of(sample)), requests))
    reach = curve.at(0.0)
    goals = {task: goodput * most for task, most in reach.items()}
    counts = range(1, MOST_REPLICAS + 1)
    found = next((n for n in counts if _meets(curve.at(rate / n), goals)), MOST_REPLICAS)
    return Estimate(rate, found, goals, reach)


def kinds_of(arrivals: Iterable[Arrival]) -> Iterator[DemandKind]:
    """Yield what each leaves to be computed with a warm prefix cache.

    The last prompt of its document, or of its task, is still in it.
    """
    last: dict[str, tuple[int, ...]] = {}
    for arrival in arrivals:
        key = arrival.document or arrival.task.value
        cached = BLOCK_TOKENS * _common(last.get(key, ()), arrival.blocks)
        last[key] = arrival.blocks
        yield DemandKind(
            task=arrival.task,
            prompt_tokens=max(1, arrival.prompt_tokens - cached),
            output_tokens=arrival.output_tokens,
            target=arrival.target,
            left_s=None if arrival.counts else arrival.cancel_after_s,
        )


def search(
    cell: Cell, start: Estimate, seeds: int, jobs: int, say: Callable[[str], None]
) -> list[Candidate]:
    """Find the smallest number of replicas that is enough, from the estimate on.

    Returns all counts that were tried, ascending, with the next smaller one. `cell` gives policy,
    workload and fleet.
    """
    found: dict[int, Candidate] = {}
    count = start.replicas
    while 1 <= count <= MOST_REPLICAS and count not in found and len(found) < _MOST_CANDIDATES:
        say(f"simulating {count} replicas, {seeds} times")
        found[count] = _simulated(cell, count, start.goals, seeds, jobs)
        count += -1 if found[count].enough else 1
    return [found[number] for number in sorted(found)]


def smallest(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the smallest fleet that is enough."""
    return next((each for each in candidates if each.enough), None)


def _simulated(
    cell: Cell, count: int, goals: Mapping[Task, float], seeds: int, jobs: int
) -> Candidate:
    fleet = Fleet(count, cell.fleet.profile)
    warmup_s = cell.workload.duration_s * _WARMUP_SHARE
    cells = [
        replace(cell, fleet=fleet, seed=seed, warmup_s=warmup_s) for seed in range(1, seeds + 1)
    ]
    results = run_cells(cells, jobs, lambda done, of: None)
    return _judged(count, points(results)[0], results, goals)


def _judged(
    count: int, point: Point, results: Sequence[CellResult], goals: Mapping[Task, float]
) -> Candidate:
    tasks = [task for task in Task if any(task in r.score.classes for r in results)]
    classes = {task: point.of_class(task, lambda of: of.goodput) for task in tasks}
    overall = point.over(lambda score: score.overall.goodput)
    enough = all(_reached(task, goal, results) for task, goal in goals.items())
    return Candidate(count, classes, overall, enough)


def _reached(task: Task, goal: float, results: Sequence[CellResult]) -> bool:
    """Return whether the runs together do not lie a standard error below the goal."""
    scores = [r.score.classes[task] for r in results if task in r.score.classes]
    counted, met = sum(s.counted for s in scores), sum(s.met for s in scores)
    if counted < _FEWEST_COUNTED:
        return True
    return met / counted >= goal - sqrt(goal * (1 - goal) / counted)


def _sample(workload: Workload) -> Sequence[Arrival]:
    return list(islice(workload.arrivals(1), SAMPLE))


def _whole(measuring: Iterator[CapacityCurve | None]) -> CapacityCurve:
    return next(curve for curve in measuring if curve is not None)


def _meets(found: Mapping[Task, float], goals: Mapping[Task, float]) -> bool:
    return all(found[task] >= goal for task, goal in goals.items())


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def slice_of(developers: int, most: int) -> tuple[int, int]:
    """Return the people in one slice of a large team, and the number of slices."""
    parts = max(1, ceil(developers / most))
    return ceil(developers / parts), parts
