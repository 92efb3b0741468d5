"""What an engine is asked to do, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Job(NamedTuple):
    """One request, as the engine's scheduler sees it."""

    id: str
    prompt_tokens: int
    output_tokens: int
    """How many it will emit, if nobody aborts it; at least one."""
    block_hashes: Sequence[int] = ()
    """Chained hashes of the prompt's whole blocks of `block_size` tokens, from its head. They may
    go on into the output: those can be shared once the job has ended. Empty: none is shared."""
    priority: int = 0
    """Lower first, as in vLLM."""


@dataclass(slots=True, eq=False)
class SequenceState:
    """A job in the engine. While it decodes, `computed` is kept by `Decoding`."""

    job: Job
    arrival: int
    """Its place in the order of arrival."""
    target: int
    """Tokens to compute before the next one comes out: the prompt; after a preemption more."""
    computed: int = 0
    """Tokens whose keys and values are in the cache."""
    emitted: int = 0
    order: int = 0
    """Its place in the order of admission."""
    hashed: int = 0
    """How many of its blocks are known by their hashes or were found to be."""
    shared: list[int] = field(default_factory=list[int])
    """Hashes of the blocks that it shares with the other jobs that need them."""


class Admission(NamedTuple):
    """A job has begun to run; `cached_tokens` of its prompt need not be computed."""

    id: str
    cached_tokens: int
