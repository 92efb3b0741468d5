"""The events of one request, in order of time. Times on the scheduler's clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from cato_backend.explanation.logged_fleet import EngineSnapshot, QueueSnapshot
from cato_backend.requests import Request
from cato_backend.scheduling import Refusal
from cato_backend.scheduling.notes import PredictionNote
from cato_backend.wire.headers import Task


class AttemptEnding(StrEnum):
    """How an attempt ended."""

    FINISHED = "finished"
    ERROR = "error"
    BUSY = "busy"
    RECALLED = "recalled"
    """Given up because no token came any more."""
    NOT_SENT = "not_sent"
    REPLICA_DIED = "replica_died"
    MOVED = "moved"
    """Taken away from a replica whose first token was overdue."""
    WITHDRAWN = "withdrawn"
    """The request ended: its client or a newer request ended it."""


@dataclass(slots=True)
class AttemptTimeline:
    """One try on one replica. Times on the scheduler's clock."""

    number: int
    replica_id: str
    sent_at: float
    relegated: bool
    snapshot: EngineSnapshot
    prediction: PredictionNote | None = None
    first_token_at: float | None = None
    ended_at: float | None = None
    ending: AttemptEnding | None = None
    tokens: int = 0
    prompt_tokens: int | None = None
    """By the engine's own count."""
    cached_tokens: int | None = None
    engine_waiting: int = 0
    """The most requests that the engine's metrics showed in its own queue until the first token."""


@dataclass(slots=True)
class RequestTimeline:
    """One request from its arrival to its end. Times on the scheduler's clock."""

    request: Request
    submitted_at: float
    snapshot: QueueSnapshot
    attempts: list[AttemptTimeline] = field(default_factory=list[AttemptTimeline])
    earlier_first: Counter[Task] = field(default_factory=Counter[Task])
    """Requests of its model that were queued before it and sent while it waited, by class."""
    later_first: Counter[Task] = field(default_factory=Counter[Task])
    """Those that came after it and were sent while it waited."""
    refusal: Refusal | None = None
    retry_after_s: float = 0.0
    superseded_by: str = ""
    outcome: str = ""
    """As it was counted for its client; empty in a log of the first version, and until then."""
    ended_at: float | None = None
    """When it left the scheduler; None while it is queued or on a replica."""
    seen_at: float = 0.0
    """The time of the log's latest entry."""

    @property
    def attempt(self) -> AttemptTimeline | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def finished(self) -> bool:
        """Whether its latest attempt brought the whole answer."""
        return self.attempt is not None and self.attempt.ending is AttemptEnding.FINISHED

    @property
    def known_until(self) -> float:
        """When it ended; where it has not, the time of the log's latest entry."""
        return self.seen_at if self.ended_at is None else self.ended_at

    @property
    def first_token_at(self) -> float | None:
        """When its client got the first token."""
        times = (each.first_token_at for each in self.attempts)
        return next((time for time in times if time is not None), None)

    @property
    def tokens(self) -> int:
        """Output tokens of all attempts."""
        return sum(each.tokens for each in self.attempts)


def client_id(request_id: str) -> str:
    """Return the id that the client knows.

    The scheduler's has a suffix where several tokens are in use (`runtime.tenants`).
    """
    name, separator, number = request_id.rpartition("~")
    return name if separator and number.isdecimal() else request_id


def is_call_of(request_id: str, task_id: str) -> bool:
    """Return whether the request is one call of a whole task of several."""
    name, separator, number = client_id(request_id).rpartition(".")
    return bool(separator) and name == task_id and number.isdecimal()
