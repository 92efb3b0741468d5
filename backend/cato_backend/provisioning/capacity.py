"""What one replica can carry of a mix of requests: goodput by load, from the engine model."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate
from math import log, sqrt

from cato_backend.engine_model import Engine, Job, Timeline
from cato_backend.profile_files.law import StepLaw
from cato_backend.profile_files.profile import Profile
from cato_backend.requests import Target
from cato_backend.scheduling.dice import Dice
from cato_backend.wire.headers import Task

LOADS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0)
"""As shares of the rate that the law allows at best."""
REQUESTS = 250
"""In one measurement; the same ones at every load."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A request as capacity is measured with it, taken from one that was served."""

    task: Task
    prompt_tokens: int
    """Those that were not in the prefix cache."""
    output_tokens: int
    target: Target
    left_s: float | None = None
    """When its client lost interest, which takes it out of goodput; None if they waited."""


@dataclass(frozen=True, slots=True)
class CapacityCurve:
    """Goodput of each task by requests per second on one replica."""

    rates: tuple[float, ...]
    """Ascending."""
    goodput: Mapping[Task, tuple[float, ...]]
    counted: Mapping[Task, int]
    """Requests that each share rests on."""

    def goals(self, goodput: float) -> Mapping[Task, float]:
        """What share of each task has to be met for this goodput, for those seen often enough.

        A share of what an idle replica reaches, because more of them cannot help an answer that is
        too long for its target; less the standard error of a share that rests on few requests.
        """
        most = max(self.counted.values())
        least = min(FEWEST_COUNTED, most)
        return {task: self._goal(task, goodput) for task, n in self.counted.items() if n >= least}

    def _goal(self, task: Task, goodput: float) -> float:
        goal = goodput * self.goodput[task][0]
        spread = max(0.05, goal * (1 - goal))
        return goal - sqrt(spread / self.counted[task])

    def at(self, rate: float) -> Mapping[Task, float]:
        """Linear between the measured rates; beyond the last it falls as 1/rate."""
        return {task: self._one(values, rate) for task, values in self.goodput.items()}

    def _one(self, values: Sequence[float], rate: float) -> float:
        rates = self.rates
        place = bisect_right(rates, rate)
        if place == 0:
            return values[0]
        if place == len(rates):
            return values[-1] * rates[-1] / rate
        part = (rate - rates[place - 1]) / (rates[place] - rates[place - 1])
        return values[place - 1] + part * (values[place] - values[place - 1])


def measure(
    profile: Profile, kinds: Sequence[Kind], requests: int = REQUESTS
) -> Iterator[CapacityCurve]:
    """Yields a curve after each load that was measured, the whole one last.

    A generator, because it takes some 20 ms a load, and whoever serves cannot stop for all of them.
    """
    best = _best_rate(profile.law, kinds)
    rates: list[float] = []
    found: list[Mapping[Task, _Tally]] = []
    for share in LOADS:
        rates.append(share * best)
        found.append(_Measurement(profile, kinds, requests).run(rates[-1]))
        yield _curve(rates, found)


def _curve(rates: Sequence[float], found: Sequence[Mapping[Task, _Tally]]) -> CapacityCurve:
    falling = {task: _falling([each[task].share for each in found]) for task in found[0]}
    counted = {task: tally.counted for task, tally in found[0].items()}
    return CapacityCurve(tuple(rates), falling, counted)


def _falling(values: Sequence[float]) -> tuple[float, ...]:
    """More load never helps: what seems so is chance."""
    return tuple(accumulate(values, min))


def _best_rate(law: StepLaw, kinds: Sequence[Kind]) -> float:
    """Requests per second if steps were so full that their fixed time did not count."""
    tokens = sum(kind.prompt_tokens + kind.output_tokens for kind in kinds)
    decoded = sum(kind.output_tokens for kind in kinds)
    read = sum(k.output_tokens * (k.prompt_tokens + k.output_tokens / 2) for k in kinds)
    squares = sum(kind.prompt_tokens**2 / 2 for kind in kinds)
    seconds = law.per_new_token * tokens + law.per_sequence * decoded
    seconds += law.per_kv_token * read + law.per_attention * squares
    fixed = (law.base + law.weights) * decoded / _FULL_BATCH
    return len(kinds) / (seconds + fixed)


FEWEST_COUNTED = 15
"""Requests of a class in a measurement; of fewer nothing can be said."""
_FULL_BATCH = 64
"""Sequences that share a step's fixed time where the law says nothing else against more."""


@dataclass(slots=True)
class _Tally:
    met: int = 0
    counted: int = 0

    @property
    def share(self) -> float:
        return self.met / self.counted


POOL = 3
"""Replicas that are measured together: what one of them cannot take another can, which is most of
what a router is good for; with more, little is added."""


class _Measurement:
    """A few replicas under one load, with arrivals at random, each sent where the fewest prompt
    tokens wait. What cannot meet its target any more is dropped, as the router puts it behind
    everything else."""

    def __init__(self, profile: Profile, kinds: Sequence[Kind], requests: int) -> None:
        self._pool = [Timeline(Engine(profile.law, profile.limits)) for _ in range(POOL)]
        self._pending = [0] * POOL
        self._place: dict[str, int] = {}
        self._kinds = kinds
        self._requests = requests
        self._dice = Dice(0)
        self._due: list[tuple[float, str]] = []
        self._jobs: dict[str, Kind] = {}
        self._first: dict[str, float] = {}
        self._prompts: dict[str, int] = {}
        self._tallies: dict[Task, _Tally] = {}

    def run(self, rate: float) -> Mapping[Task, _Tally]:
        """What became of each task at so many requests per second."""
        now = 0.0
        for number in range(self._requests):
            now += self._gap() / (rate * POOL)
            self._settle(now)
            self._submit(str(number), now)
        while self._due:
            self._settle(self._due[0][0])
        return self._tallies

    def _gap(self) -> float:
        """Of mean 1."""
        return -log((self._dice.below(1 << 53) + 1) / ((1 << 53) + 1))

    def _submit(self, job_id: str, now: float) -> None:
        kind = self._kinds[self._dice.below(len(self._kinds))]
        deadline = now + kind.target.budget_s
        self._jobs[job_id] = kind
        self._prompts[job_id] = kind.prompt_tokens
        priority = round(deadline * 1000)
        job = Job(job_id, kind.prompt_tokens, kind.output_tokens, priority=priority)
        place = min(range(POOL), key=lambda each: (self._pending[each], self._running(each)))
        if self._pool[place].engine.fits(job):
            self._pool[place].submit(job, now)
            self._pending[place] += kind.prompt_tokens
            self._place[job_id] = place
        heappush(self._due, (deadline if kind.left_s is None else now + kind.left_s, job_id))

    def _settle(self, now: float) -> None:
        """Lets time pass until now; judges what is due on the way."""
        while self._due and self._due[0][0] <= now:
            time, job_id = heappop(self._due)
            self._advance(time)
            self._judge(job_id, time)
        self._advance(now)

    def _running(self, place: int) -> int:
        return self._pool[place].engine.running

    def _advance(self, now: float) -> None:
        for timeline in self._pool:
            self._advance_one(timeline, now)

    def _advance_one(self, timeline: Timeline, now: float) -> None:
        for passed in timeline.advance(now):
            for job_id in passed.end.prefilled:
                self._begin(job_id, passed.time)
            for job_id in passed.end.finished:
                kind = self._jobs.pop(job_id, None)
                if kind is not None:
                    self._count(kind, met=True)

    def _begin(self, job_id: str, now: float) -> None:
        if job_id not in self._first:
            self._first[job_id] = now
            self._pending[self._place[job_id]] -= self._prompts[job_id]

    def _judge(self, job_id: str, now: float) -> None:
        kind = self._jobs.get(job_id)
        if kind is None:
            return
        begun = job_id in self._first
        if kind.target.ttft_s is not None and begun and kind.left_s is None:
            self._count(kind, met=True)
            self._jobs.pop(job_id)  # It runs on, and its end counts no more.
            return
        self._jobs.pop(job_id)
        self._count(kind, met=False)
        place = self._place.get(job_id)
        if place is not None and self._pool[place].abort(job_id, now) and not begun:
            self._pending[place] -= self._prompts[job_id]
            self._first[job_id] = now

    def _count(self, kind: Kind, *, met: bool) -> None:
        if kind.left_s is None:
            tally = self._tallies.setdefault(kind.task, _Tally())
            tally.counted += 1
            tally.met += met
