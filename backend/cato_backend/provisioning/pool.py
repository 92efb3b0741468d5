"""Measures the outcomes of requests on a few replicas under one load, by the engine model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import log

from cato_backend.engine_model import Engine, Job, Timeline
from cato_backend.profile_files.profile import Profile
from cato_backend.requests import Target
from cato_backend.scheduling.splitmix import SplitMix64
from cato_backend.wire.headers import Task


@dataclass(frozen=True, slots=True)
class DemandKind:
    """A request that was served, as a sample for measurements of capacity."""

    task: Task
    prompt_tokens: int
    """Those that were not in the prefix cache."""
    output_tokens: int
    target: Target
    left_s: float | None = None
    """When its client lost interest, which takes it out of goodput; None if they waited."""


@dataclass(slots=True)
class Tally:
    """Counts of one task."""

    met: int = 0
    counted: int = 0

    @property
    def share(self) -> float:
        """Goodput."""
        return self.met / self.counted


POOL = 3
"""Replicas that are measured together: what one of them cannot take another can, which is most of
what a router is good for; with more, little is added."""
_SLICE = 200
"""Requests that are played in one go: some 20 ms."""


class Measurement:
    """A few replicas under one load, with arrivals at random.

    Each request is sent where the fewest prompt tokens wait. What cannot meet its target any more
    is dropped, as the router puts it behind everything else.
    """

    def __init__(self, profile: Profile, kinds: Sequence[DemandKind], requests: int) -> None:
        self._pool = [Timeline(Engine(profile.law, profile.limits)) for _ in range(POOL)]
        self._pending = [0] * POOL
        self._place: dict[str, int] = {}
        self._kinds = kinds
        self._requests = requests
        self._dice = SplitMix64(0)
        self._due: list[tuple[float, str]] = []
        self._jobs: dict[str, DemandKind] = {}
        self._first: dict[str, float] = {}
        self._prompts: dict[str, int] = {}
        self._tallies: dict[Task, Tally] = {}

    @property
    def tallies(self) -> Mapping[Task, Tally]:
        """What became of each task."""
        return self._tallies

    def run(self, rate: float) -> Iterator[None]:
        """Measure at this rate, in requests per second. Yields between slices of the work."""
        now = 0.0
        for number in range(self._requests):
            now += self._gap() / (rate * POOL)
            self._settle(now)
            self._submit(str(number), now)
            if number % _SLICE == _SLICE - 1:
                yield
        while self._due:
            self._settle(self._due[0][0])

    def _gap(self) -> float:
        """Return a gap from a distribution of mean 1."""
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
        """Let time pass until now; judge what is due on the way."""
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

    def _count(self, kind: DemandKind, *, met: bool) -> None:
        if kind.left_s is None:
            tally = self._tallies.setdefault(kind.task, Tally())
            tally.counted += 1
            tally.met += met
