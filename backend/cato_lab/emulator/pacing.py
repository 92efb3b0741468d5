"""The engine model in real time: each step takes its seconds, tokens leave when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from cato_backend.clock import monotonic
from cato_backend.engine_model import Engine, Job, Step
from cato_lab.emulator.metrics import EngineMetrics


class Sink(Protocol):
    """Where one sequence's tokens go."""

    def admitted(self, cached_tokens: int) -> None:
        """It runs; again after a preemption."""
        ...

    def token(self) -> bool:
        """It has a token more; whether it wants another."""
        ...


class Pacing:
    """Drives an engine. Steps are timed from deadline to deadline: lateness does not add up.

    `speed`: how many times faster than the profile; 0.5 makes everything take twice as long.
    """

    def __init__(self, engine: Engine, metrics: EngineMetrics, speed: float = 1.0) -> None:
        self._engine, self._metrics, self._speed = engine, metrics, speed
        self._sinks: dict[str, Sink] = {}
        self._work = asyncio.Event()

    def submit(self, job: Job, sink: Sink) -> None:
        """Queues a job; its sink is called until it wants no more, or the job has ended."""
        self._engine.submit(job)
        self._sinks[job.id] = sink
        self._work.set()

    def abort(self, job_ids: Iterable[str]) -> None:
        """Drops those of the jobs that have not ended."""
        for job_id in job_ids:
            if self._sinks.pop(job_id, None) is not None:
                self._engine.abort(job_id)

    async def run(self) -> None:
        """Until cancelled."""
        due = monotonic()
        while True:
            step = self._engine.begin_step()
            if step is None:
                self._work.clear()
                await self._work.wait()
                due = monotonic()
                continue
            self._note_begin(step)
            due += step.seconds() / self._speed
            await asyncio.sleep(max(0.0, due - monotonic()))
            self._deliver()
            self._metrics.lateness.observe(monotonic() - due)

    def _note_begin(self, step: Step) -> None:
        self._metrics.preemptions.inc(len(step.preempted))
        for admission in step.admitted:
            sink = self._sinks.get(admission.id)
            if sink is not None:
                sink.admitted(admission.cached_tokens)

    def _deliver(self) -> None:
        emitting = list(self._engine.emitting())
        end = self._engine.end_step()
        self._metrics.generated_tokens.inc(end.tokens)
        for job_id in emitting:
            sink = self._sinks.get(job_id)
            if sink is not None and not sink.token():
                self.abort((job_id,))
