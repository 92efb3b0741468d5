"""One request as its client knows it: its content, its target, and when it is cancelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cato_backend.requests import BLOCK_CHARS, EQUAL_SHARE, Origin, Request, Share, Target
from cato_backend.wire.headers import Task

BLOCK_TOKENS = 16
"""Tokens in one block of the engine's prefix cache (vLLM's default)."""

CHARS_PER_TOKEN = 3.2
"""What code comes to; ties the engine's blocks to the 256-character blocks of the prefix index."""


_BLOCKS_PER_INDEX_BLOCK = round(BLOCK_CHARS / CHARS_PER_TOKEN / BLOCK_TOKENS)


class Arrival(NamedTuple):
    """A request and its fate. Times in seconds from the start of the run.

    `blocks` identifies the prompt's whole engine blocks; an id stands for all text up to its end,
    so two prompts share as much prefix cache as their tuples share from the start.
    """

    id: str
    time: float
    task: Task
    prompt_tokens: int
    output_tokens: int
    """The true length of the answer, which only the engine knows in advance."""
    max_tokens: int
    """`max_tokens` of the client."""
    target: Target
    blocks: tuple[int, ...] = ()
    session: str = ""
    document: str = ""
    supersede: bool = False
    cancel_after_s: float | None = None
    """Seconds from the request to the next key, at which the client cancels it."""
    expected_tokens: int | None = None
    """The client's own estimate of its output tokens; None where it gives none."""
    tenant: str = ""
    """Whose token it comes with."""
    team: str = ""
    share: Share = EQUAL_SHARE
    taken_for: tuple[Task, Target] | None = None
    """Class and target that a router assumes where the client names neither; None: the true ones.
    Outcomes are judged by the true ones."""

    @property
    def counts(self) -> bool:
        """Whether its client still wants it at its deadline.

        A matter of the workload alone, so that every policy is measured over the same requests
        (docs/workloads.md).
        """
        return self.cancel_after_s is None or self.cancel_after_s >= self.target.budget_s

    def request(self, model: str, now: float) -> Request:
        """Return the request for the scheduler, submitted at `now`."""
        step = _BLOCKS_PER_INDEX_BLOCK
        task, target = self.taken_for or (self.task, self.target)
        return Request(
            id=self.id,
            task=task,
            model=model,
            arrival=now,
            target=target,
            prompt_tokens=self.prompt_tokens,
            max_tokens=self.max_tokens,
            origin=Origin(self.tenant, self.session, self.document, self.team),
            supersede=self.supersede,
            prompt_blocks=self.blocks[step - 1 :: step],
            expected_tokens=self.expected_tokens,
            declared=self.taken_for is None,
            names_pace=self.taken_for is None,
            share=self.share,
        )


class Workload(Protocol):
    """Generates arrivals."""

    @property
    def name(self) -> str:
        """For tables and plots."""
        ...

    @property
    def duration_s(self) -> float:
        """The last arrival comes before this time."""
        ...

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """In the order of time; the same for the same seed, everywhere."""
        ...


@dataclass(frozen=True, slots=True)
class OracleWorkload:
    """True lengths as `max_tokens`, and no request that is taken back before its deadline.

    The same requests count as without the oracle, so that goodputs can be compared.
    """

    inner: Workload

    @property
    def name(self) -> str:
        """As without the oracle."""
        return f"{self.inner.name}, oracle"

    @property
    def duration_s(self) -> float:
        """As without the oracle."""
        return self.inner.duration_s

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """In the order of time."""
        for arrival in self.inner.arrivals(seed):
            if arrival.counts:
                yield arrival._replace(max_tokens=arrival.output_tokens)


@dataclass(frozen=True, slots=True)
class OracleLengths:
    """The true length of every answer, for a policy that can be told (`Setup.truth`)."""

    lengths: Mapping[str, int]

    @classmethod
    def of(cls, workload: Workload, seed: int) -> OracleLengths:
        """From the very requests that will be made."""
        return cls({arrival.id: arrival.output_tokens for arrival in workload.arrivals(seed)})

    def output_tokens(self, request_id: str) -> int:
        """Return the answer's true length. Raises KeyError."""
        return self.lengths[request_id]
