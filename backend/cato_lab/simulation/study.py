"""Many runs: every policy at every load with every seed, on all cores."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import nan
from time import perf_counter

from cato_backend.scheduling import Setup, make_policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.records import milliseconds, percent, text_table
from cato_lab.scoring.scores import Capacity, ClassScore, Score, score
from cato_lab.scoring.statistics import Interval, interval
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads.arrival import OracleLengths, OracleWorkload, Workload

_LATENCIES = (
    *("complet. TTFT p95 ms", "generat. TTFT p95 ms"),
    *("summar. E2E p95 ms", "translat. E2E p95 ms"),
)


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy as a study runs it."""

    policy: str
    without: tuple[str, ...] = ()
    """Mechanisms of `cato` that are switched off."""
    oracle: bool = False
    """Whether `cato` is told true lengths beforehand: the reference bound."""
    split: tuple[int, ...] = ()
    """Replicas of each task, where each task has its own."""

    @property
    def name(self) -> str:
        """For tables and plots."""
        name = self.policy
        if self.split:
            name += " " + "/".join(map(str, self.split))
        if self.without:
            name += " without " + ", ".join(self.without)
        return f"{name}, oracle" if self.oracle else name


@dataclass(frozen=True, slots=True)
class Cell:
    """One run to be made. `load`: requests per second, or developers."""

    contender: Contender
    load: float
    seed: int
    workload: Workload
    fleet: Fleet
    warmup_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CellResult:
    """Results of a run."""

    policy: str
    """The contender's name."""
    load: float
    seed: int
    score: Score
    events: int
    wall_s: float


def run_cell(cell: Cell) -> CellResult:
    """Make one run."""
    began = perf_counter()
    contender, workload = cell.contender, cell.workload
    truth = None
    if contender.oracle:
        workload = OracleWorkload(workload)
        truth = OracleLengths.of(workload, cell.seed)
    setup = Setup(cell.seed, contender.without, truth, split=contender.split)
    policy = make_policy(contender.policy, setup)
    with _without_collector():
        run = Simulator(policy, cell.fleet).run(workload, cell.seed)
    duration_s = workload.duration_s
    capacity = Capacity(cell.fleet.replicas * duration_s, cell.fleet.profile, run.busy_s)
    return CellResult(
        policy=contender.name,
        load=cell.load,
        seed=cell.seed,
        score=score(run.outcomes, duration_s, capacity, cell.warmup_s),
        events=run.events,
        wall_s=perf_counter() - began,
    )


@contextmanager
def _without_collector() -> Generator[None]:
    """Switch the garbage collector off for a run.

    A run keeps millions of outcomes and makes no cycles; each collection would search all of them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class Point:
    """One policy at one load, over all seeds."""

    policy: str
    load: float
    results: tuple[CellResult, ...]

    def over(self, value: Callable[[Score], float]) -> Interval:
        """Mean and confidence interval of a value of each run."""
        return interval([value(result.score) for result in self.results])

    def of_class(self, task: Task, value: Callable[[ClassScore], float]) -> Interval:
        """Return the same of one class; NaN where it does not occur."""
        found = (result.score.classes.get(task) for result in self.results)
        return interval([nan if score is None else value(score) for score in found])


def points(results: Sequence[CellResult]) -> list[Point]:
    """Results of one policy and load together, in the order of their first ones."""
    grouped: dict[tuple[str, float], list[CellResult]] = {}
    for result in results:
        grouped.setdefault((result.policy, result.load), []).append(result)
    return [Point(*key, tuple(found)) for key, found in grouped.items()]


def difference(ours: Point, theirs: Point, value: Callable[[Score], float]) -> Interval:
    """Our less theirs, seed by seed.

    Both had the same requests, so what the seeds have in common cancels out, and the interval is
    far narrower than those of the two means.
    """
    of_theirs = {result.seed: value(result.score) for result in theirs.results}
    pairs = [(value(result.score), of_theirs.get(result.seed)) for result in ours.results]
    return interval([mine - other for mine, other in pairs if other is not None])


def knee(of_policy: Sequence[Point], goodput: float = 0.95) -> float:
    """Return the highest load with this goodput, interpolated between the loads tried.

    NaN where not even the lowest load has it; the highest load where all have it.
    """
    ascending = sorted(of_policy, key=lambda point: point.load)
    reached = nan
    before: tuple[float, float] | None = None
    for point in ascending:
        mean = point.over(lambda score: score.overall.goodput).mean
        if mean < goodput:
            if before is None:
                return nan
            load, share = before
            return load + (point.load - load) * (share - goodput) / (share - mean)
        before, reached = (point.load, mean), point.load
    return reached


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
