"""The four tasks at once, at the paper's scale or any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter

import numpy as np
from numpy.random import Generator

from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import Arrival
from cato_lab.workloads.lengths import (
    Context,
    Document,
    SessionBlocks,
    Size,
    completion_prompt,
    draw_size,
    resized_completion,
)
from cato_lab.workloads.processes import ArrivalProcess, Poisson

_MEAN_TYPED_TOKENS = 24
"""Between two completions of the same document here; a burst of typing and a little more."""

_LONGEST_PROMPT = 7437

FLOOD = "flood"
"""The token of the one; the others' are named by their sessions."""

_OTHER_SEED = 1000


DEFAULT_SHARES: Mapping[Task, float] = {
    Task.COMPLETION: 0.4,
    Task.GENERATION: 0.4,
    Task.SUMMARIZATION: 0.1,
    Task.TRANSLATION: 0.1,
}
"""Chosen such that four reference replicas under least-requests routing have their knee at some 20
requests per second, as in the published figures of other routers. Completions are lean there: the
reference replica takes 200 ms of the 250 ms target for a cold rich prompt."""


@dataclass(frozen=True, slots=True)
class MixWorkload:
    """Independent requests of four tasks from `sessions` people, without cancellation.

    A completion repeats the session's document with probability `repeat`, changed at its end.
    """

    process: ArrivalProcess
    duration_s: float = 60.0
    shares: Mapping[Task, float] = field(default_factory=lambda: DEFAULT_SHARES)
    sessions: int = 60
    context: Context = Context.LEAN
    repeat: float = 0.85
    suffix_share: float = 0.0
    whole_files: bool = False
    """Summaries and translations of whole files too; else of single functions only."""
    name: str = "mix"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """One stream of random numbers for the times, one for what is asked.

        The same requests come in the same order whatever the rate.
        """
        when, what = (np.random.default_rng([seed, part]) for part in (0, 1))
        people = [_Person(self, index) for index in range(self.sessions)]
        tasks, weights = list(self.shares), np.array(list(self.shares.values()))
        cumulated = np.cumsum(weights / weights.sum())
        for index, time in enumerate(self.process.times(self.duration_s, when)):
            task = tasks[min(int(np.searchsorted(cumulated, what.random())), len(tasks) - 1)]
            person = people[what.integers(len(people))]
            yield person.asks(str(index), time, task, what)


class _Person:
    def __init__(self, workload: MixWorkload, index: int) -> None:
        self._workload, self._name = workload, f"s{index}"
        self._blocks = SessionBlocks(index)
        self._document: Document | None = None

    def asks(self, request_id: str, time: float, task: Task, rng: Generator) -> Arrival:
        size, blocks = self._prompt(task, rng)
        return Arrival(
            id=request_id,
            time=time,
            task=task,
            prompt_tokens=size.prompt_tokens,
            output_tokens=size.output_tokens,
            max_tokens=size.max_tokens,
            target=size.target,
            blocks=blocks,
            session=self._name,
            document=f"{self._name}-file" if task is Task.COMPLETION else "",
        )

    def _prompt(self, task: Task, rng: Generator) -> tuple[Size, tuple[int, ...]]:
        if task is not Task.COMPLETION:
            size = draw_size(
                task, self._workload.context, rng, whole_files=self._workload.whole_files
            )
            return size, self._blocks.instructed(task, size.prompt_tokens)
        document = self._changed_document(rng)
        return resized_completion(document.tokens, rng), document.blocks

    def _changed_document(self, rng: Generator) -> Document:
        typed = int(rng.geometric(1 / _MEAN_TYPED_TOKENS))
        document = self._document
        if document is None:
            tokens = completion_prompt(self._workload.context, rng)
            document = Document(self._blocks, tokens, self._workload.suffix_share)
            self._document = document
        elif rng.random() < self._workload.repeat and document.tokens + typed <= _LONGEST_PROMPT:
            document.type(typed)
        else:
            document.open(completion_prompt(self._workload.context, rng))
        return document


@dataclass(frozen=True, slots=True)
class FloodWorkload:
    """Many tenants, one of whom floods. The others' requests do not depend on the flood."""

    users: int = 20
    rate: float = 0.5
    """Requests per second of each user."""
    times: float = 50.0
    """The load of the flood, in users; 0 for none."""
    duration_s: float = 60.0
    flood_sessions: int = 1
    flood_is_named: bool = True
    """Whether the flood's requests name their session."""
    flood_shares: Mapping[Task, float] = field(default_factory=lambda: DEFAULT_SHARES)
    name: str = "flood"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """In the order of time."""
        streams = [self._others(seed)]
        if self.times:
            streams.append(self._flood(seed))
        return merge(*streams, key=attrgetter("time"))

    def _others(self, seed: int) -> Iterator[Arrival]:
        rate = self.users * self.rate
        mix = MixWorkload(Poisson(rate), self.duration_s, sessions=self.users)
        for arrival in mix.arrivals(seed):
            yield arrival._replace(id=f"user-{arrival.id}", tenant=arrival.session)

    def _flood(self, seed: int) -> Iterator[Arrival]:
        mix = MixWorkload(
            Poisson(self.times * self.rate),
            self.duration_s,
            shares=self.flood_shares,
            sessions=self.flood_sessions,
        )
        for arrival in mix.arrivals(seed + _OTHER_SEED):
            own = arrival._replace(id=f"{FLOOD}-{arrival.id}", tenant=FLOOD)
            yield own if self.flood_is_named else own._replace(session="", document="")
