"""What the engine model makes of a law under a constant number of requests in flight."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from cato_backend.engine_model.engine import Engine
from cato_backend.engine_model.jobs import Job
from cato_backend.profile_files.profile import EngineLimits, StepLaw

RUN_STEPS = 4096


@dataclass(frozen=True, slots=True)
class Cell:
    """A benchmark's setting: so many requests of this size always in flight."""

    prompt_tokens: int
    output_tokens: int
    batch: int


def closed_loop(law: StepLaw, limits: EngineLimits, cell: Cell, rounds: int) -> tuple[float, float]:
    """Mean TTFT and TPOT in seconds of `rounds` requests for each that is in flight at a time.

    All start at once, as benchmarks do. The first ones' outputs differ in length by up to a half,
    because real ones drift apart, where a model's would end, and start again, together for ever.
    """
    engine = Engine(law, limits, "fcfs")
    numbers, now = count(), 0.0
    submitted: dict[str, float] = {}
    first: dict[str, float] = {}
    lengths: dict[str, int] = {}
    done: list[tuple[float, float]] = []

    def submit() -> None:
        number = next(numbers)
        share = 0.5 + number / cell.batch if number < cell.batch else 1.0
        submitted[str(number)] = now
        tokens = max(2, round(cell.output_tokens * share))
        engine.submit(Job(str(number), cell.prompt_tokens, tokens))
        lengths[str(number)] = tokens

    for _ in range(cell.batch):
        submit()
    while len(done) < rounds * cell.batch and (step := engine.begin_step(RUN_STEPS)):
        now += step.seconds(step.steps)
        end = engine.end_step(step.steps)
        first.update({job: now for job in end.prefilled if job not in first})
        for job in end.finished:
            done.append((first[job] - submitted[job], (now - first[job]) / (lengths[job] - 1)))
            if len(submitted) < rounds * cell.batch:
                submit()
    ttft, tpot = np.array(done).mean(axis=0)
    return float(ttft), float(tpot)
