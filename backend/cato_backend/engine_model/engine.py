"""A model of vLLM's scheduler (v1): which tokens are computed in which step. It has no clock."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count

from cato_backend.engine_model.jobs import (
    Admission,
    EngineQueue,
    Job,
    Order,
    SequenceState,
    Step,
    StepEnd,
)
from cato_backend.engine_model.memory import Memory
from cato_backend.engine_model.running import Decoding, Prefills
from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import EngineLimits, StepLaw


class Engine:
    """One replica's engine: `begin_step`, then after the step's time `end_step`, and so on.

    A step takes the running sequences first, a token each, then a chunk of each unfinished prefill
    in the order of admission, then waiting ones in order, while slots, token budget and KV blocks
    allow. A prompt gets at most `long_prefill_token_threshold` tokens of a step, unless it is the
    only job in the engine, running or waiting. Without a threshold at most one prefill is
    unfinished, the last one admitted: it had the rest of the budget. With one there are as many as
    the budget has room for, and only the last can get less than it wants.

    After vllm/v1/core/sched/scheduler.py (0.32), without what a plain model does not use. That has
    no limit on unfinished prefills: the options `max_num_partial_prefills` and
    `max_long_partial_prefills` of earlier versions are gone.
    """

    def __init__(self, law: StepLaw, limits: EngineLimits, order: Order = "priority") -> None:
        """Raise ConfigError where vLLM would refuse to start."""
        _check(limits)
        self.limits = limits
        self._law = law
        self._order: Order = order
        self._memory = Memory(limits.kv_tokens, limits.block_size)
        self._waiting = EngineQueue(order)
        self._decoding = Decoding(limits.block_size)
        self._prefills = Prefills(self._memory)
        self._aborted: dict[str, None] = {}
        """In order: blocks become free in the same order in every run."""
        self._step: Step | None = None
        self._arrivals, self._admissions = count(), count()

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs that run."""
        return len(self._decoding) + len(self._prefills)

    @property
    def kv_usage(self) -> float:
        """The share of KV blocks that are held."""
        return 1 - self._memory.pool.free / self._memory.pool.size

    def fits(self, job: Job) -> bool:
        """Return whether the KV cache and the model's context can hold it when it is alone."""
        tokens = job.prompt_tokens + job.output_tokens
        return tokens <= min(self._memory.tokens, self.limits.max_model_len)

    def submit(self, job: Job) -> None:
        """Queue a job; it can be admitted from the next `begin_step` on. Raises ValueError."""
        if job.prompt_tokens < 1 or job.output_tokens < 1 or not self.fits(job):
            raise ValueError(f"job {job.id!r} cannot run within {self.limits}")
        self._waiting.add(SequenceState(job, next(self._arrivals), job.prompt_tokens))

    def waits(self, job_id: str) -> bool:
        """Return whether this job is here and does not run yet, or not any more."""
        return job_id in self._waiting

    def abort(self, job_id: str) -> bool:
        """Drop a job: at once where it waits, at the end of the step where it runs.

        Whether there was such a job.
        """
        if self._waiting.discard(job_id) is not None:
            return True
        if job_id not in self._decoding and all(s.job.id != job_id for s in self._prefills):
            return False
        self._aborted[job_id] = None
        if self._step is None:
            self._drop_aborted([])
        return True

    def emitting(self) -> Iterator[str]:
        """Ids of the jobs that get a token at the end of the step under way."""
        yield from (state.job.id for state in self._decoding)
        for state, chunk in self._prefills.chunks:
            if state.computed + chunk == state.target:
                yield state.job.id

    def emitted(self, job_id: str, ahead: int = 0) -> int:
        """Return the tokens that a running job has emitted, with `ahead` further steps."""
        if job_id in self._decoding:
            return self._decoding.emitted(job_id, ahead)
        return next((s.emitted for s in self._prefills if s.job.id == job_id), 0)

    def decoding(self, ahead: int = 0) -> Iterator[tuple[str, int]]:
        """Yield the jobs that decode, oldest first, each with its emitted tokens.

        `ahead` steps of the step under way are counted in.
        """
        for state in self._decoding:
            yield state.job.id, self._decoding.emitted(state.job.id, ahead)

    def can_admit(self) -> bool:
        """Return whether a slot is free. If not, jobs wait until another one ends."""
        return self.running < self.limits.max_num_seqs

    def begin_step(self, most: int = 1) -> Step | None:
        """Decide the next step; None if there is nothing to do.

        With `most` above 1, up to that many steps at once where each would only decode, until the
        next job ends. `end_step` may then take fewer of them.
        """
        longest = self._longest_chunk()
        preempted = self._make_room(longest)
        self._memory.pool.take(self._decoding.growth())
        self._prefills.resume(self._budget, longest)
        admitted = () if preempted else tuple(self._admit(longest))
        if not self.running:
            return None
        steps = 1 if self._prefills or preempted else self._steady_steps(most)
        self._step = self._load(steps, admitted, preempted)
        return self._step

    def end_step(self, steps: int | None = None) -> StepEnd:
        """Advance by a step, or `steps` of them: tokens come out, ended sequences leave."""
        assert self._step is not None
        taken = self._step.steps if steps is None else steps
        if taken > 1:
            self._memory.pool.take(self._decoding.growth(taken) - self._decoding.growth())
        self._step = None
        tokens = (taken - 1) * len(self._decoding)  # Who was aborted has had these.
        self._decoding.advance(taken)
        completed = self._prefills.end()
        self._drop_aborted(completed)
        for state in completed:
            state.emitted += 1
        tokens += len(self._decoding) + len(completed)
        finished = [*self._decoding.pop_finished(), *self._start_decoding(completed)]
        for state in finished:
            self._memory.release(state)
        prefilled = tuple(state.job.id for state in completed)
        return StepEnd(tokens, prefilled, tuple(state.job.id for state in finished))

    @property
    def _budget(self) -> int:
        """Tokens that the step has left for prefills."""
        return self.limits.max_num_batched_tokens - len(self._decoding) - self._prefills.tokens

    def _longest_chunk(self) -> int:
        """Return the most tokens of a prompt in a step; the threshold holds beside others only."""
        threshold = self.limits.long_prefill_token_threshold
        if threshold and self.running + self.waiting > 1:
            return threshold
        return self.limits.max_num_batched_tokens

    def _make_room(self, longest: int) -> tuple[str, ...]:
        """Preempt the least urgent until what the others need now fits."""
        preempted: list[str] = []
        while self._decoding.growth() + self._prefills.missing(self._budget, longest) > (
            self._memory.pool.free
        ):
            preempted.append(self._preempt())
        return tuple(preempted)

    def _preempt(self) -> str:
        """Free the sequence's blocks. It will compute again what is not cached by then."""
        state = max(chain(self._decoding, self._prefills), key=self._expendable)
        self._leave(state.job.id)
        self._memory.release(state)
        state.target = state.job.prompt_tokens + state.emitted
        self._waiting.add(state)
        return state.job.id

    def _expendable(self, state: SequenceState) -> tuple[int, int]:
        if self._order == "fcfs":
            return state.order, 0
        return state.job.priority, state.arrival

    def _admit(self, longest: int) -> Iterator[Admission]:
        """Yield those who may run from now on, in order; who does not fit holds up the others."""
        while self.can_admit() and (budget := self._budget):
            state = self._waiting.head()
            if state is None:
                return
            hits = self._memory.hits(state)
            if not self._memory.has_room_for(state, hits):
                return
            self._waiting.pop()
            self._memory.admit(state, hits)
            state.order = next(self._admissions)
            self._prefills.schedule(state, budget, longest)
            yield Admission(state.job.id, state.computed)

    def _steady_steps(self, most: int) -> int:
        """Return the steps, at most `most`, until a job ends or the blocks might run out."""
        steps = min(most, self._decoding.steps_to_next_end())
        free = self._memory.pool.free
        if self._decoding.growth(steps) - self._decoding.growth() <= free:
            return steps
        return max(1, free // len(self._decoding) * self.limits.block_size)

    def _load(
        self, steps: int, admitted: tuple[Admission, ...], preempted: tuple[str, ...]
    ) -> Step:
        tokens, kv_tokens, attention = len(self._decoding), self._decoding.kv_tokens, 0.0
        for state, chunk in self._prefills.chunks:
            context = state.computed + chunk
            tokens += chunk
            kv_tokens += context
            attention += chunk * (context - chunk / 2)
        return Step(
            self._law, steps, tokens, self.running, kv_tokens, attention, admitted, preempted
        )

    def _start_decoding(self, completed: list[SequenceState]) -> Iterator[SequenceState]:
        """Move prefilled sequences to decoding; yield those that have all their tokens."""
        for state in completed:
            if state.emitted == state.job.output_tokens:
                yield state
            else:
                self._decoding.join(state)

    def _drop_aborted(self, completed: list[SequenceState]) -> None:
        for state in [each for each in completed if each.job.id in self._aborted]:
            completed.remove(state)
            self._aborted.pop(state.job.id, None)
            self._memory.release(state)
        for job_id in self._aborted:
            self._memory.release(self._leave(job_id))
        self._aborted.clear()

    def _leave(self, job_id: str) -> SequenceState:
        """Take a running job out, between two steps."""
        return self._decoding.leave(job_id) or self._prefills.leave(job_id)


def _check(limits: EngineLimits) -> None:
    """As vLLM does at its start. Raises ConfigError."""
    tokens, threshold = limits.max_num_batched_tokens, limits.long_prefill_token_threshold
    if tokens < limits.max_num_seqs:
        expected = f"at least max_num_seqs ({limits.max_num_seqs})"
        raise ConfigError.of("max_num_batched_tokens", tokens, expected)
    if threshold > limits.max_model_len:
        expected = f"at most max_model_len ({limits.max_model_len})"
        raise ConfigError.of("long_prefill_token_threshold", threshold, expected)
