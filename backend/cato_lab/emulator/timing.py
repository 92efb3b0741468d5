"""The two sources of the times at which tokens leave: a profile's engine model, and fixed times."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Protocol

from cato_backend.clock import monotonic
from cato_backend.engine_model import Engine, Job, Step
from cato_backend.profile_files.profile import EngineLimits
from cato_lab.emulator.answers import SequenceAnswer
from cato_lab.emulator.behaviour import Behaviour
from cato_lab.emulator.metrics import EngineMetrics
from cato_lab.emulator.state import EmulatorState


class Timing(Protocol):
    """Decides when each sequence gets its tokens."""

    limits: EngineLimits

    @property
    def kv_usage(self) -> float:
        """The share of KV blocks that are held."""
        ...

    def submit(self, job: Job, answer: SequenceAnswer) -> None:
        """Queue a job; its answer gets tokens until it wants no more, or the job has ended."""
        ...

    def abort(self, job_ids: Iterable[str]) -> None:
        """Drop those of the jobs that have not ended."""
        ...

    async def run(self) -> None:
        """Run until it is cancelled."""
        ...


class ProfileTiming:
    """Drives an engine model. Each step takes its seconds, and tokens leave when it ends.

    Steps are timed from deadline to deadline: lateness does not add up. `speed`: how many times
    faster than the profile; 0.5 makes everything take twice as long.
    """

    def __init__(
        self, engine: Engine, state: EmulatorState, metrics: EngineMetrics, speed: float
    ) -> None:
        self._engine, self._state, self._metrics, self._speed = engine, state, metrics, speed
        self.limits = engine.limits
        self._answers: dict[str, SequenceAnswer] = {}
        self._work = asyncio.Event()

    @property
    def kv_usage(self) -> float:
        """The share of KV blocks that are held."""
        return self._engine.kv_usage

    def submit(self, job: Job, answer: SequenceAnswer) -> None:
        """Queue a job; its answer gets tokens until it wants no more, or the job has ended."""
        self._engine.submit(job)
        self._answers[job.id] = answer
        self._work.set()
        self._count()

    def abort(self, job_ids: Iterable[str]) -> None:
        """Drop those of the jobs that have not ended."""
        for job_id in job_ids:
            if self._answers.pop(job_id, None) is not None:
                self._engine.abort(job_id)
        self._count()

    async def run(self) -> None:
        """Run until it is cancelled."""
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
            answer = self._answers.get(admission.id)
            if answer is not None:
                answer.admitted(admission.cached_tokens)
        self._count()

    def _deliver(self) -> None:
        emitting = list(self._engine.emitting())
        end = self._engine.end_step()
        self._metrics.generated_tokens.inc(end.tokens)
        for job_id in emitting:
            answer = self._answers.get(job_id)
            if answer is not None and not answer.token():
                self.abort((job_id,))
        self._count()

    def _count(self) -> None:
        self._state.occupied(self._engine.running, self._engine.waiting)


class FixedTiming:
    """Gives each sequence its tokens at the fixed times of the behaviour, whatever else runs.

    At most `max_num_seqs` run; the others wait, lower `priority` first, then by arrival. A sequence
    that runs keeps the times with which it began, and waits for a client that does not read.
    """

    limits = EngineLimits()
    kv_usage = 0.0

    def __init__(
        self, behaviour: Callable[[], Behaviour], state: EmulatorState, metrics: EngineMetrics
    ) -> None:
        self._behaviour, self._state, self._metrics = behaviour, state, metrics
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._arrivals = count()
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._cached: set[int] = set()

    def submit(self, job: Job, answer: SequenceAnswer) -> None:
        """Queue a job; its answer gets tokens until it wants no more, or the job has ended."""
        task = asyncio.get_running_loop().create_task(self._serve(job, answer))
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    def abort(self, job_ids: Iterable[str]) -> None:
        """Drop those of the jobs that have not ended."""
        for job_id in job_ids:
            if job_id in self._tasks:
                self._tasks[job_id].cancel()

    async def run(self) -> None:
        """Run until it is cancelled: every job has a task of its own."""
        await asyncio.get_running_loop().create_future()

    async def _serve(self, job: Job, answer: SequenceAnswer) -> None:
        behaviour, clock = self._behaviour(), asyncio.get_running_loop().time
        async with self._slot(job.priority, behaviour.max_num_seqs):
            cached = self._cached_tokens(job)
            answer.admitted(cached)
            cold = behaviour.prefill_ms_per_1k_tokens * (job.prompt_tokens - cached) / 1000
            due = clock() + (behaviour.ttft_ms + cold) / 1000
            # Counted from the start: lateness does not add up.
            for number in count():
                await asyncio.sleep(max(0.0, due + number * behaviour.itl_ms / 1000 - clock()))
                await answer.ready()
                self._metrics.generated_tokens.inc()
                if not answer.token():
                    return

    def _cached_tokens(self, job: Job) -> int:
        """Return how many leading tokens are cached.

        Remembers the prompt. vLLM computes the last one.
        """
        size, hashes = self.limits.block_size, job.block_hashes
        usable = max(0, job.prompt_tokens - 1) // size
        known = next((i for i, key in enumerate(hashes) if key not in self._cached), len(hashes))
        self._cached.update(hashes)
        return size * min(known, usable)

    @asynccontextmanager
    async def _slot(self, priority: int, limit: int) -> AsyncGenerator[None]:
        if self._state.running >= limit:
            await self._turn(priority, limit)
        else:
            self._state.occupied(self._state.running + 1, self._state.waiting)
        try:
            yield
        finally:
            self._free(limit)

    async def _turn(self, priority: int, limit: int) -> None:
        """Return when a slot is held. Cancelling the wait leaves the queue."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._arrivals), turn))
        self._state.occupied(self._state.running, self._state.waiting + 1)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._free(limit)
            else:
                self._state.occupied(self._state.running, self._state.waiting - 1)
            raise

    def _free(self, limit: int) -> None:
        """Give the slot back, and to the next in the queue if there is room."""
        running, waiting = self._state.running - 1, self._state.waiting
        while self._queue and running < limit:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                running, waiting = running + 1, waiting - 1
                turn.set_result(None)
        self._state.occupied(running, waiting)


def block_hashes(tokens: Sequence[int], block_size: int, cache_salt: str = "") -> list[int]:
    """Return a chained hash for each whole block: equal hashes mean an equal start.

    As in vLLM, the salt belongs to the first block.
    """
    hashes: list[int] = []
    key = hash(cache_salt) if cache_salt else 0
    for start in range(0, len(tokens) - block_size + 1, block_size):
        key = hash((key, *tokens[start : start + block_size]))
        hashes.append(key)
    return hashes
