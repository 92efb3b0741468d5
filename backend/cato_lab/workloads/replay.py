"""A recorded trace, replayed with its own lengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from cato_backend.config import TargetsConfig
from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import BLOCK_TOKENS, Arrival
from cato_lab.workloads.lengths import SessionBlocks, translation_target
from cato_lab.workloads.processes import TraceTimes
from cato_lab.workloads.traces import TraceRow

_TARGETS = TargetsConfig()
_LONGEST_COMPLETION = 64
_LONGER = (Task.GENERATION, Task.SUMMARIZATION, Task.TRANSLATION)
_LONGER_SHARES = (0.75, 0.19, 0.06)
"""As developers ask for them: 4, 1 and 0.3 in an active hour."""
_MOONCAKE_BLOCK_TOKENS = 512


@dataclass(frozen=True, slots=True)
class TraceWorkload:
    """The rows of a trace, at an average of `rate` requests per second.

    A trace names no tasks: answers of at most 64 tokens are taken for completions, the others for
    generation, summarization and translation in the proportion in which developers ask for them.
    """

    rows: tuple[TraceRow, ...]
    rate: float
    duration_s: float
    sessions: int = 60
    longest_prompt: int = 8192
    """Longer prompts are cut: models for code have contexts of this order."""
    name: str = "trace"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """Yield the trace's requests. The seed decides tasks and sessions."""
        rng = np.random.default_rng(seed)
        blocks = [SessionBlocks(index) for index in range(self.sessions)]
        times = TraceTimes(tuple(row.time for row in self.rows), self.rate)
        for index, time in enumerate(times.times(self.duration_s, rng)):
            session = int(rng.integers(self.sessions))
            yield self._arrival(index, time, session, blocks[session], rng)

    def _arrival(
        self, index: int, time: float, session: int, blocks: SessionBlocks, rng: Generator
    ) -> Arrival:
        row = self.rows[index]
        task = _task(row.output_tokens, rng)
        tokens = min(row.prompt_tokens, self.longest_prompt)
        return Arrival(
            id=str(index),
            time=time,
            task=task,
            prompt_tokens=tokens,
            output_tokens=row.output_tokens,
            max_tokens=_max_tokens(task, row.output_tokens),
            target=_target(task, row.output_tokens),
            blocks=_recorded(row, tokens) if row.hash_ids else blocks.fresh(tokens),
            session=f"s{session}",
        )


def _task(output_tokens: int, rng: Generator) -> Task:
    if output_tokens <= _LONGEST_COMPLETION:
        return Task.COMPLETION
    return _LONGER[int(rng.choice(len(_LONGER), p=_LONGER_SHARES))]


def _max_tokens(task: Task, output_tokens: int) -> int:
    usual = _LONGEST_COMPLETION if task is Task.COMPLETION else 1024
    return max(usual, output_tokens)


def _target(task: Task, output_tokens: int) -> Target:
    return translation_target(output_tokens) if task is Task.TRANSLATION else _TARGETS.of(task)


def _recorded(row: TraceRow, tokens: int) -> tuple[int, ...]:
    per_hash = _MOONCAKE_BLOCK_TOKENS // BLOCK_TOKENS
    blocks = (h * per_hash + i for h in row.hash_ids for i in range(per_hash))
    return tuple(blocks)[: tokens // BLOCK_TOKENS]
