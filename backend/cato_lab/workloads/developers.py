"""Developers typing: keys come in bursts, a pause in typing asks, the next key cancels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from math import exp, log
from operator import attrgetter

import numpy as np
from numpy.random import Generator

from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import CHARS_PER_TOKEN, Arrival
from cato_lab.workloads.lengths import (
    Context,
    Document,
    SessionBlocks,
    completion_prompt,
    draw_size,
    resized_completion,
)

_KEYS_PER_BURST = 16
_KEY_MEDIAN_S, _KEY_SIGMA = 0.17, 0.5
_PAUSE_MEDIAN_S, _PAUSE_SIGMA, _LONGEST_PAUSE_S = 6.0, 1.3, 300.0
_ON_MEDIAN_S, _ON_SIGMA = 25 * 60.0, 0.8
_OFF_MEDIAN_S, _OFF_SIGMA = 20 * 60.0, 1.0
_PER_ACTIVE_HOUR = {Task.GENERATION: 4.0, Task.SUMMARIZATION: 1.0, Task.TRANSLATION: 0.3}
_LONGEST_PROMPT = 7437


@dataclass(frozen=True, slots=True)
class DeveloperWorkload:
    """Developers, each with an editor that asks while they type.

    It asks `debounce_s` after a key when no other came, and takes the question back at the next
    key.

    Keys do not wait for answers, so the same questions are asked however slow the fleet is.
    """

    developers: int
    duration_s: float = 600.0
    debounce_s: float = 0.075
    sessions: bool = False
    """People come and go (25 minutes on, 20 off in the median); else all type all the time."""
    context: Context = Context.RICH
    repeat: float = 0.85
    suffix_share: float = 0.0
    name: str = "typing"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """Return the requests of all developers, merged by time."""
        people = (_Developer(self, seed, index) for index in range(self.developers))
        streams = [stream for person in people for stream in person.streams()]
        return merge(*streams, key=attrgetter("time"))

    def commands(self, seed: int) -> Iterator[Arrival]:
        """Yield of these only what people command: generations, summaries, translations."""
        people = (_Developer(self, seed, index) for index in range(self.developers))
        return merge(*(person.streams()[1] for person in people), key=attrgetter("time"))


class _Developer:
    def __init__(self, workload: DeveloperWorkload, seed: int, index: int) -> None:
        self._workload, self._name = workload, f"d{index}"
        self._rngs = [np.random.default_rng([seed, index, part]) for part in range(3)]
        self._blocks = SessionBlocks(2 * index)
        self._other_blocks = SessionBlocks(2 * index + 1)

    def streams(self) -> tuple[Iterator[Arrival], Iterator[Arrival]]:
        """Return what the typing asks, and what the person commands."""
        active = list(_active(self._workload, self._rngs[0]))
        return self._completions(active), self._commands(active)

    def _completions(self, active: list[tuple[float, float]]) -> Iterator[Arrival]:
        workload, rng = self._workload, self._rngs[1]
        document = Document(
            self._blocks, completion_prompt(workload.context, rng), workload.suffix_share
        )
        questions = self._questions(active, rng)
        for number, (typed, time, patience_s) in enumerate(questions):
            self._edit(document, typed, rng)
            size = resized_completion(document.tokens, rng)
            yield Arrival(
                id=f"{self._name}-{number}",
                time=time,
                task=Task.COMPLETION,
                prompt_tokens=size.prompt_tokens,
                output_tokens=size.output_tokens,
                max_tokens=size.max_tokens,
                target=size.target,
                blocks=document.blocks,
                session=self._name,
                document=f"{self._name}-file",
                supersede=True,
                cancel_after_s=patience_s,
            )

    def _questions(
        self, active: list[tuple[float, float]], rng: Generator
    ) -> Iterator[tuple[int, float, float]]:
        """Keys typed since the last question, when the next is asked, how long until a key."""
        debounce_s, keys = self._workload.debounce_s, 0
        for start, end in active:
            for time, gap_s in keystrokes(start, end, rng):
                keys += 1
                if gap_s > debounce_s and time + debounce_s < end:
                    yield keys, time + debounce_s, gap_s - debounce_s
                    keys = 0

    def _edit(self, document: Document, keys: int, rng: Generator) -> None:
        tokens = max(1, round(keys / CHARS_PER_TOKEN))
        if rng.random() < self._workload.repeat and document.tokens + tokens <= _LONGEST_PROMPT:
            document.type(tokens)
        else:
            document.open(completion_prompt(self._workload.context, rng))

    def _commands(self, active: list[tuple[float, float]]) -> Iterator[Arrival]:
        rng, asked = self._rngs[2], 0
        hourly = sum(_PER_ACTIVE_HOUR.values())
        tasks, shares = list(_PER_ACTIVE_HOUR), [n / hourly for n in _PER_ACTIVE_HOUR.values()]
        for start, end in active:
            time = start + rng.exponential(3600 / hourly)
            while time < end:
                task = tasks[int(rng.choice(len(tasks), p=shares))]
                yield self._command(f"{self._name}-c{asked}", time, task, rng)
                asked += 1
                time += rng.exponential(3600 / hourly)

    def _command(self, request_id: str, time: float, task: Task, rng: Generator) -> Arrival:
        size = draw_size(task, self._workload.context, rng)
        return Arrival(
            id=request_id,
            time=time,
            task=task,
            prompt_tokens=size.prompt_tokens,
            output_tokens=size.output_tokens,
            max_tokens=size.max_tokens,
            target=size.target,
            blocks=self._other_blocks.instructed(task, size.prompt_tokens),
            session=self._name,
        )


def _active(workload: DeveloperWorkload, rng: Generator) -> Iterator[tuple[float, float]]:
    """Yield the spans in which the person works, from a random moment of their life."""
    if not workload.sessions:
        yield 0.0, workload.duration_s
        return
    spans = ((_ON_MEDIAN_S, _ON_SIGMA), (_OFF_MEDIAN_S, _OFF_SIGMA))
    means = [median * exp(sigma**2 / 2) for median, sigma in spans]
    now, phase = 0.0, int(rng.random() >= means[0] / sum(means))
    # The span that a random moment falls into is a long one: a log-normal, biased by length.
    median, sigma = spans[phase]
    length = rng.random() * rng.lognormal(log(median) + sigma**2, sigma)
    while now < workload.duration_s:
        if phase == 0:
            yield now, min(now + length, workload.duration_s)
        now += length
        phase = 1 - phase
        length = rng.lognormal(log(spans[phase][0]), spans[phase][1])


def keystrokes(start: float, end: float, rng: Generator) -> Iterator[tuple[float, float]]:
    """Yield times of keys and the gap behind each; the last gap of a burst is the pause."""
    time = start + rng.random() * _pause(rng)
    while time < end:
        gaps = rng.lognormal(log(_KEY_MEDIAN_S), _KEY_SIGMA, rng.geometric(1 / _KEYS_PER_BURST))
        gaps[-1] = _pause(rng)
        for gap in gaps.tolist():
            if time >= end:
                return
            yield time, gap
            time += gap


def _pause(rng: Generator) -> float:
    return float(min(rng.lognormal(log(_PAUSE_MEDIAN_S), _PAUSE_SIGMA), _LONGEST_PAUSE_S))
