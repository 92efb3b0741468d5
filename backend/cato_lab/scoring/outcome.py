"""The outcome of one request, as its client saw it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from cato_lab.workloads.arrival import Arrival


class Ending(StrEnum):
    """Endings of a request; low-cardinality."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    """The next key came: the client wants it no more, and has closed it or sent a newer one."""
    ENOUGH = "enough"
    """The client has what it needs of it, and ended it early."""
    REJECTED = "rejected"
    """A clear refusal, before or instead of an answer."""
    FAILED = "failed"
    """Anything else: a broken stream, an unexpected error, a silence."""


class Outcome(NamedTuple):
    """Times in seconds since the request was due to be sent, None where it did not come to that."""

    arrival: Arrival
    ending: Ending
    ended_s: float
    first_token_s: float | None = None
    tokens: int = 0
    """Output tokens received."""
    queue_s: float | None = None
    """Until it was sent to a replica (the last one, where there were several)."""
    cached_tokens: int | None = None
    """Prompt tokens that the engine found in its prefix cache; None where it is not reported."""
    reason: str = ""
    """Why it was rejected or failed."""
    relegated: bool = False
    """Whether the scheduler put it behind everything that could still be met."""

    @property
    def e2e_s(self) -> float | None:
        """To the last token of a whole answer."""
        return self.ended_s if self.ending in (Ending.FINISHED, Ending.ENOUGH) else None

    @property
    def tpot_s(self) -> float | None:
        """(E2E - TTFT) / (output tokens - 1), where there were at least two."""
        if self.e2e_s is None or self.first_token_s is None or self.tokens < 2:
            return None
        return (self.e2e_s - self.first_token_s) / (self.tokens - 1)

    @property
    def met(self) -> bool:
        """Whether every part of the target was met: TTFT and TPOT, or E2E."""
        tpot_s = self.arrival.target.tpot_s
        paced = tpot_s is None or self.tpot_s is None or self.tpot_s <= tpot_s
        return paced and self.met_by_first_token

    @property
    def met_by_first_token(self) -> bool:
        """Whether TTFT or E2E was met. A stream that broke is a miss, however early it began."""
        if self.ending is Ending.ENOUGH:
            return True
        if self.ending in (Ending.REJECTED, Ending.FAILED):
            return False
        target = self.arrival.target
        event_s = self.e2e_s if target.ttft_s is None else self.first_token_s
        return event_s is not None and event_s <= target.budget_s
