"""Finds by simulation how many replicas a demand needs, and how much demand replicas serve.

The search begins at an estimate from a single replica's engine model, and every answer is one of a
simulation. A fleet is compared with an ample one, which shows what is in reach, under the same
requests; runs are added until the bounds decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from cato_backend.profile_files.profile import Profile
from cato_backend.wire.headers import Task
from cato_lab.scoring.scores import ClassScore
from cato_lab.scoring.statistics import ONE_SIDED_Z, Share, share_of
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.study import Cell, CellResult, Contender
from cato_lab.workloads.arrival import Workload

_FEWEST_COUNTED = 20
"""A class with fewer requests in all runs together is shown, and not judged."""
_FIRST_RUNS, _FURTHER_RUNS = 4, 2
_WARMUP_SHARE = 1 / 6
"""Of a run: caches are cold, and nothing is scored."""


class Verdict(Enum):
    """Verdict of simulated runs on a fleet."""

    ENOUGH = "enough"
    NOT_ENOUGH = "not enough"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class ClassGoodput:
    """The goodput of one class in a simulated fleet."""

    share: Share
    """Share of its requests that met their target."""
    of_reach: Share
    """The same, of those that an ample fleet meets."""

    @property
    def is_judged(self) -> bool:
        """Whether it has enough requests to be judged."""
        return self.of_reach.counted >= _FEWEST_COUNTED


@dataclass(frozen=True, slots=True)
class Candidate:
    """A simulated fleet. `load`: what it was given, in the unit of the workload."""

    replicas: int
    load: float
    classes: Mapping[Task, ClassGoodput]
    overall: ClassGoodput
    verdict: Verdict
    runs: int

    @property
    def enough(self) -> bool:
        """Whether the bounds say that it is."""
        return self.verdict is Verdict.ENOUGH

    @property
    def tightest(self) -> Task:
        """The judged class that comes least near to what is in reach."""
        judged = [task for task, of in self.classes.items() if of.is_judged]
        if not judged:
            return max(self.classes, key=lambda task: self.classes[task].share.counted)
        return min(judged, key=lambda task: self.classes[task].of_reach.mean)


class Judge:
    """Simulates fleets, with more runs until the bounds decide or all seeds are used."""

    def __init__(
        self,
        contender: Contender,
        profile: Profile,
        goodput: float,
        ample: int,
        seeds: int,
        run: Callable[[Sequence[Cell]], list[CellResult]],
    ) -> None:
        """`goodput`: the wished share of what is in reach, which `ample` replicas show.

        `run` makes runs and returns them in the same order.
        """
        self._contender = contender
        self._profile = profile
        self._goodput = goodput
        self._ample_replicas = ample
        self._seeds = seeds
        self._run = run
        self._ample: dict[tuple[float, int], CellResult] = {}
        """By load and seed."""

    def judge(self, replicas: int, workload: Workload, load: float) -> Candidate:
        """Return what runs of this fleet say, beside the ample one."""
        ours: list[CellResult] = []
        while True:
            wanted = _FURTHER_RUNS if ours else _FIRST_RUNS
            seeds = range(len(ours) + 1, min(self._seeds, len(ours) + wanted) + 1)
            unknown = [seed for seed in seeds if (load, seed) not in self._ample]
            cells = [self._cell(replicas, workload, load, seed) for seed in seeds]
            ample = [self._cell(self._ample_replicas, workload, load, seed) for seed in unknown]
            results = self._run(cells + ample)
            ours += results[: len(cells)]
            for seed, result in zip(unknown, results[len(cells) :], strict=True):
                self._ample[load, seed] = result
            found = self._candidate(replicas, load, ours)
            if found.verdict is not Verdict.UNCERTAIN or len(ours) >= self._seeds:
                return found

    def _cell(self, replicas: int, workload: Workload, load: float, seed: int) -> Cell:
        fleet, warmup_s = Fleet(replicas, self._profile), workload.duration_s * _WARMUP_SHARE
        return Cell(self._contender, load, seed, workload, fleet, warmup_s)

    def _candidate(self, replicas: int, load: float, ours: Sequence[CellResult]) -> Candidate:
        pairs = [(each.score, self._ample[load, each.seed].score) for each in ours]
        tasks = [task for task in Task if any(task in one.classes for one, _ in pairs)]
        classes = {
            task: _goodput(
                [
                    (one.classes[task], other.classes[task])
                    for one, other in pairs
                    if task in one.classes and task in other.classes
                ]
            )
            for task in tasks
        }
        overall = _goodput([(one.overall, other.overall) for one, other in pairs])
        is_last = len(ours) >= self._seeds
        verdicts = {verdict_of(c, self._goodput, is_last=is_last) for c in classes.values()}
        worst = (Verdict.NOT_ENOUGH, Verdict.UNCERTAIN)
        verdict = next((each for each in worst if each in verdicts), Verdict.ENOUGH)
        return Candidate(replicas, load, classes, overall, verdict, len(ours))


def _goodput(pairs: Sequence[tuple[ClassScore, ClassScore]]) -> ClassGoodput:
    """Return the goodput of the first ones, also as a share of what the second ones meet."""
    return ClassGoodput(
        share_of([(one.met, one.counted) for one, _ in pairs]),
        share_of([(one.met, other.met) for one, other in pairs]),
    )


def verdict_of(found: ClassGoodput, goodput: float, *, is_last: bool) -> Verdict:
    """Return what a class says of the wished share; `is_last`: there are no further runs.

    Of a class with so few requests that even an unbroken row of met ones could not show the share,
    the mean decides in the end.
    """
    share = found.of_reach
    if not found.is_judged:
        return Verdict.ENOUGH if is_last else Verdict.UNCERTAIN
    if share.high < goodput:
        return Verdict.NOT_ENOUGH
    if share.low >= goodput:
        return Verdict.ENOUGH
    could_show = share.counted >= ONE_SIDED_Z**2 * goodput / (1 - goodput)
    if is_last and not could_show and share.mean >= goodput:
        return Verdict.ENOUGH
    return Verdict.UNCERTAIN
