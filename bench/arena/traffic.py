"""The requests of a world: one stream for every policy that plays it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

import numpy as np
from numpy.random import Generator

from bench.arena.agents import Agent, clipped
from bench.arena.demand import LONG_PROMPT, Demand, Headers, Withdrawal
from cato_backend.config import TargetsConfig
from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import Arrival
from cato_lab.workloads.lengths import (
    INSTRUCTION_TOKENS,
    Document,
    SessionBlocks,
    Size,
    completion_prompt,
    draw_size,
    resized_completion,
)

PUBLISHED = TargetsConfig()
_LONGEST_COMPLETION_PROMPT = 7437
_TYPED_TOKENS = 24
"""Between two completions that are wanted."""
_KEY_GAP = (-1.4, 0.5)
"""Seconds between two completions while typing, log-normal: 0.25 in the median."""
_PATIENCE = (0.9, 1.0)
"""Seconds until the person types on after a completion that was wanted, log-normal."""
_SEEN = 0.5
"""Chance that the person types on after it."""
_AFTER_NEXT_KEY_S = 1e-6
"""A request that is only superseded ends by the newer one, which has come by then."""
_COMMON_BLOCK = 900_000
_ESTIMATE_SIGMA = 0.25


@dataclass(frozen=True, slots=True)
class Traffic:
    """A workload of the simulator: the demand at a mean rate of requests per second."""

    demand: Demand
    rate: float
    duration_s: float
    name: str = "arena"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """In the order of time. Times and contents come from separate streams of random numbers:
        the same requests come in the same order whatever the rate."""
        when, what = (np.random.default_rng([seed, part]) for part in (0, 1))
        clients = _Clients(self.demand, what)
        completions = self.demand.shares[Task.COMPLETION]
        wanted = self.rate / (1 + completions * self.demand.typing.taken_back)
        pending: list[tuple[float, int, Arrival]] = []
        order = count()
        for time in self.demand.arrivals.at(wanted).times(self.duration_s, when):
            while pending and pending[0][0] <= time:
                yield heappop(pending)[2]
            for arrival in clients.ask(time):
                if arrival.time < self.duration_s:
                    heappush(pending, (arrival.time, next(order), arrival))
        while pending:
            yield heappop(pending)[2]


class _Clients:
    """Everyone who asks."""

    def __init__(self, demand: Demand, rng: Generator) -> None:
        self._demand, self._rng = demand, rng
        self._ids = count()
        self._people = [SessionBlocks(index) for index in range(demand.sessions)]
        self._documents: dict[int, Document] = {}
        self._agents = [Agent(demand, index) for index in range(demand.agents.sessions)]
        self._turns = count()
        self._tasks, shares = list(demand.shares), np.array(list(demand.shares.values()))
        self._cumulated = np.cumsum(shares / shares.sum())

    def ask(self, time: float) -> Iterator[Arrival]:
        """The requests that begin at this time; those of typing follow within seconds."""
        place = int(np.searchsorted(self._cumulated, self._rng.random()))
        task = self._tasks[min(place, len(self._tasks) - 1)]
        person = int(self._rng.integers(len(self._people)))
        if task is Task.COMPLETION:
            yield from self._type(time, person)
        elif task is Task.AGENT:
            agent = self._agents[next(self._turns) % len(self._agents)]
            yield self._told(agent.turn(str(next(self._ids)), time, self._rng))
        else:
            yield self._command(time, task, person)

    def _type(self, time: float, person: int) -> Iterator[Arrival]:
        """Completions that the next key takes back, and the one that is wanted."""
        typing, rng = self._demand.typing, self._rng
        most = rng.geometric(1 / (1 + typing.taken_back)) - 1 if typing.taken_back else 0
        document = self._document(person)
        for _ in range(most):
            gap_s = float(rng.lognormal(*_KEY_GAP))
            yield self._completion(time, document, person, gap_s + _AFTER_NEXT_KEY_S)
            time += gap_s
            document.type(max(1, round(gap_s * 2)))
        patience_s = float(rng.lognormal(*_PATIENCE)) if rng.random() < _SEEN else None
        closes = typing.withdrawal in (Withdrawal.CLOSE, Withdrawal.BOTH)
        yield self._completion(time, document, person, patience_s if closes else None)

    def _document(self, person: int) -> Document:
        typing, rng, factor = self._demand.typing, self._rng, self._demand.lengths.prompt
        document = self._documents.get(person)
        typed = int(rng.geometric(1 / _TYPED_TOKENS))
        tokens = clipped(completion_prompt(typing.context, rng) * factor, self._longest, 16)
        if document is None:
            document = Document(self._people[person], tokens, typing.suffix_share)
            self._documents[person] = document
        elif rng.random() < typing.repeat and document.tokens + typed <= self._longest:
            document.type(typed)
        else:
            document.open(tokens)
        return document

    @property
    def _longest(self) -> int:
        return min(_LONGEST_COMPLETION_PROMPT, self._demand.longest_prompt)

    def _completion(
        self, time: float, document: Document, person: int, wanted_s: float | None
    ) -> Arrival:
        size = resized_completion(document.tokens, self._rng)
        return self._told(
            Arrival(
                id=str(next(self._ids)),
                time=time,
                task=Task.COMPLETION,
                prompt_tokens=document.tokens,
                output_tokens=size.output_tokens,
                max_tokens=size.max_tokens,
                target=self._demand.targets[Task.COMPLETION],
                blocks=document.blocks,
                session=f"s{person}",
                document=f"s{person}-file",
                supersede=self._demand.typing.withdrawal in (Withdrawal.SUPERSEDE, Withdrawal.BOTH),
                cancel_after_s=wanted_s,
            )
        )

    def _command(self, time: float, task: Task, person: int) -> Arrival:
        demand, rng = self._demand, self._rng
        size = self._size(task)
        blocks = self._people[person]
        if task is Task.GENERATION:
            common = min(demand.lengths.common_tokens, size.prompt_tokens) // 16
            head = tuple(range(_COMMON_BLOCK, _COMMON_BLOCK + common))
            prompt = head + blocks.fresh(size.prompt_tokens - 16 * common)
        else:
            prompt = blocks.instructed(task, size.prompt_tokens)
        expected = round(size.output_tokens * rng.lognormal(0, _ESTIMATE_SIGMA))
        return self._told(
            Arrival(
                id=str(next(self._ids)),
                time=time,
                task=task,
                prompt_tokens=size.prompt_tokens,
                output_tokens=size.output_tokens,
                max_tokens=size.max_tokens,
                target=self._target(task, size),
                blocks=prompt,
                session=f"s{person}",
                expected_tokens=max(1, expected) if demand.estimates else None,
            )
        )

    def _size(self, task: Task) -> Size:
        demand, rng = self._demand, self._rng
        lengths = demand.lengths
        size = draw_size(task, demand.typing.context, rng, whole_files=lengths.whole_files)
        tails = rng.lognormal(0, lengths.tail, 2) if lengths.tail else (1.0, 1.0)
        least = 16 + INSTRUCTION_TOKENS.get(task, 0)
        prompt = size.prompt_tokens * lengths.prompt * tails[0]
        prompt = clipped(prompt, demand.longest_prompt, least)
        if task is Task.GENERATION and rng.random() < demand.long_share:
            prompt = round(rng.uniform(LONG_PROMPT, demand.longest_prompt))
        output = clipped(size.output_tokens * lengths.output * tails[1], 4096)
        return Size(prompt, output, max(size.max_tokens, output), size.target)

    def _target(self, task: Task, size: Size) -> Target:
        """A translation promises by its length, unless it is flat; a file's summary takes longer;
        a long prompt is given time in proportion."""
        demand, times = self._demand, self._demand.scale(task, PUBLISHED.of(task))
        if task is Task.TRANSLATION and not demand.flat_translations:
            return size.target.scaled(times, 1.0)
        if task is Task.SUMMARIZATION:
            return size.target.scaled(times, 1.0)
        target = demand.targets[task]
        if task is Task.GENERATION and size.prompt_tokens > 16_000:
            return target.scaled(size.prompt_tokens / 4000, 1.0)
        return target

    def _told(self, arrival: Arrival) -> Arrival:
        """What the router gets to know of it."""
        headers = self._demand.headers
        if headers is Headers.OURS:
            return arrival
        seen = arrival.task if arrival.task in (Task.COMPLETION, Task.AGENT) else Task.GENERATION
        target = self._demand.targets[seen] if self._demand.configured else PUBLISHED.of(seen)
        return arrival._replace(
            session=arrival.session if headers is Headers.PEERS else "",
            document="",
            supersede=False,
            expected_tokens=None,
            taken_for=(seen, target),
        )
