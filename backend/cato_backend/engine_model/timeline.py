"""An engine in virtual time, advanced from one event to the next."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from cato_backend.engine_model.engine import Engine
from cato_backend.engine_model.jobs import Admission, Job, Step, StepEnd

FOREVER = 1 << 40
"""Steps: more than any job takes."""


class Passed(NamedTuple):
    """A step, or a run of steps in which only decoding happened, has ended at `time` (seconds)."""

    time: float
    steps: int
    admitted: tuple[Admission, ...]
    """Began to run when it began."""
    preempted: tuple[str, ...]
    end: StepEnd


class Timeline:
    """Submit and abort at any time, advance to `next_time`, read what happened."""

    def __init__(self, engine: Engine, most: int = FOREVER) -> None:
        """`most`: steps in one jump; 1 shows each step."""
        self.engine = engine
        self._most = most
        self._step: Step | None = None
        self._began = 0.0
        self._steps = 0

    @property
    def next_time(self) -> float | None:
        """When the step or jump under way ends, in seconds; None while idle."""
        return None if self._step is None else self._began + self._step.seconds(self._steps)

    def step_began(self, now: float) -> float | None:
        """Return when the step under way began; None while idle."""
        if self._step is None or self._steps == 1:
            return None if self._step is None else self._began
        ended = bisect_right(range(1, self._steps), now - self._began, key=self._step.seconds)
        return self._began + (self._step.seconds(ended) if ended else 0.0)

    def step_ends(self, now: float) -> float | None:
        """Return when the step under way ends; None while idle."""
        if self._step is None or self._steps == 1:
            return self.next_time
        ended = bisect_right(range(1, self._steps), now - self._began, key=self._step.seconds)
        return self._began + self._step.seconds(ended + 1)

    def submit(self, job: Job, now: float) -> None:
        """Add a job that arrives; it can start at the next step boundary. Raises ValueError."""
        self.engine.submit(job)
        if self._step is None:
            self._begin(now)
        elif self.engine.can_admit():
            self._cut(now)

    def abort(self, job_id: str, now: float) -> bool:
        """Drop a job, at the next step boundary where it runs. Whether there was such a job."""
        waited = self.engine.waits(job_id)
        known = self.engine.abort(job_id)
        if known and not waited:
            self._cut(now)
        return known

    def emitted(self, job_id: str, now: float) -> int:
        """Return tokens that a running job has emitted by now."""
        return self.engine.emitted(job_id, self._ended(now))

    def running(self, now: float) -> Iterator[tuple[str, int]]:
        """Yield the jobs that decode, oldest first, and the tokens that each has emitted by now."""
        return self.engine.decoding(self._ended(now))

    def advance(self, now: float) -> list[Passed]:
        """Everything that ends until now, in order; afterwards `next_time` is later than now."""
        passed: list[Passed] = []
        while (ends := self.next_time) is not None and ends <= now:
            passed.append(self._end(ends))
            self._begin(ends)
        return passed

    def _ended(self, now: float) -> int:
        """Return the steps of the jump under way that have ended by now."""
        if self._step is None or self._steps == 1:
            return 0
        ends = range(1, self._steps + 1)
        return bisect_right(ends, now - self._began, key=self._step.seconds)

    def _begin(self, now: float) -> None:
        self._step = self.engine.begin_step(self._most)
        self._began = now
        self._steps = 0 if self._step is None else self._step.steps

    def _end(self, time: float) -> Passed:
        step, steps = self._step, self._steps
        assert step is not None
        end = self.engine.end_step(steps)
        return Passed(time, steps, step.admitted, step.preempted, end)

    def _cut(self, now: float) -> None:
        """End the jump at the first boundary that is not before now."""
        if self._step is not None and self._steps > 1:
            ends = range(1, self._steps)
            self._steps = 1 + bisect_left(ends, now - self._began, key=self._step.seconds)
