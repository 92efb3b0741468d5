"""One request on one replica, as the scheduler counts it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cato_backend.requests import Request


class Ending(Enum):
    """Endings of an attempt. Only `FINISHED` shows the whole length of its answer."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Attempt:
    """One request on one replica. Only the ledger writes to it. Times on the scheduler's clock."""

    request: Request
    number: int
    replica_id: str
    emitted: int
    """Output tokens over all attempts of the request."""
    prompt_tokens: int
    """To be prefilled or found in the cache, output of earlier attempts included."""
    dispatched_at: float = 0.0
    cached_tokens: int = 0
    """Cached tokens of the prompt: expected at dispatch, later by the engine's own count."""
    cache_told: bool = False
    """Whether the engine has told it; vLLM does so with the usage, at the end of a stream."""
    priority: int = 0
    first_token_at: float | None = None
    """The time of this attempt's first token."""
    resumed: int = 0
    """Output tokens of earlier attempts: part of `emitted` and of `prompt_tokens`."""
    avoid: frozenset[str] = frozenset()
    """Replicas that failed this request before."""
    queued_tokens: int = 0
    """Prompt tokens that its replica had to compute at the dispatch, its own included."""

    @property
    def silent(self) -> bool:
        """Whether it has no token yet."""
        return self.first_token_at is None

    @property
    def started(self) -> bool:
        """Whether its prompt is prefilled.

        An answer that comes whole does not show when it is: counted as pending until the end, one
        alone would make a replica look busy.
        """
        return self.first_token_at is not None or not self.request.streams

    @property
    def uncached_tokens(self) -> int:
        """Prompt tokens that were to be computed at the dispatch."""
        tokens = self.prompt_tokens - self.cached_tokens
        return tokens if tokens > 0 else 0  # `max` is a call, and this is asked ten times.

    @property
    def pending_prefill(self) -> int:
        """Prompt tokens that are still to be computed."""
        if self.first_token_at is not None or not self.request.streams:
            return 0
        return self.uncached_tokens

    @property
    def outstanding_tokens(self) -> int:
        """Tokens that the replica still owes, at most."""
        output = self.request.max_tokens - self.emitted
        prompt = 0
        if self.first_token_at is None and self.request.streams:
            prompt = self.prompt_tokens
        return prompt + output if output > 0 else prompt
