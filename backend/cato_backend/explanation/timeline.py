"""The events of one request in order of time, and the parts of its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from cato_backend.explanation.logged_fleet import EngineSnapshot, QueueSnapshot
from cato_backend.requests import Request
from cato_backend.scheduling import Refusal
from cato_backend.scheduling.journal import PredictionNote
from cato_backend.wire.headers import Task

_LEAST_S = 0.0005
"""Shorter parts are left out."""


class AttemptEnding(StrEnum):
    """Endings of an attempt."""

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


class TimeUse(StrEnum):
    """Kinds of time that a request spends; low-cardinality."""

    RECEPTION = "reception"
    """Its body was read and its prompt rendered."""
    QUEUE = "queue"
    """It waited in our queue."""
    FAILED_ATTEMPT = "failed_attempt"
    """A replica had it and did not answer to the end."""
    PREFILL = "prefill"
    """Its replica computed its prompt."""
    ENGINE_QUEUE = "engine_queue"
    """Its replica had others to serve first, or beside it, as was predicted."""
    UNPREDICTED = "unpredicted"
    """Its replica took longer to the first token than was predicted."""
    ENGINE = "engine"
    """Its replica had it until the first token; there is no prediction to divide that by."""
    DECODING = "decoding"
    """From the first token on."""


@dataclass(frozen=True, slots=True)
class TimePart:
    """One part, in seconds."""

    use: TimeUse
    seconds: float
    replica_id: str = ""
    attempt: int = 0


def parts_of(timeline: RequestTimeline, until: float) -> list[TimePart]:
    """Return the parts of the time from arrival to `until`, in their order."""
    return [part for part in _parts(timeline, until) if part.seconds >= _LEAST_S]


def _parts(timeline: RequestTimeline, until: float) -> Iterator[TimePart]:
    yield TimePart(TimeUse.RECEPTION, timeline.submitted_at - timeline.request.arrival)
    free_at = timeline.submitted_at
    for attempt in timeline.attempts:
        yield TimePart(TimeUse.QUEUE, min(until, attempt.sent_at) - free_at)
        if attempt.sent_at > until:
            return
        yield from _of_attempt(attempt, until)
        if attempt.ended_at is None or attempt.ended_at > until:
            return
        free_at = attempt.ended_at
    last = timeline.attempt
    if last is None or last.ending not in (AttemptEnding.FINISHED, AttemptEnding.WITHDRAWN):
        yield TimePart(TimeUse.QUEUE, until - free_at)


def _of_attempt(attempt: AttemptTimeline, until: float) -> Iterator[TimePart]:
    ended = until if attempt.ended_at is None else min(until, attempt.ended_at)
    failed = attempt.ending not in (None, AttemptEnding.FINISHED, AttemptEnding.WITHDRAWN)
    if failed and (attempt.ended_at or 0.0) <= until:
        yield _part(TimeUse.FAILED_ATTEMPT, ended - attempt.sent_at, attempt)
        return
    first = ended if attempt.first_token_at is None else min(ended, attempt.first_token_at)
    yield from _to_first_token(attempt, first - attempt.sent_at)
    yield _part(TimeUse.DECODING, ended - first, attempt)


def _to_first_token(attempt: AttemptTimeline, seconds: float) -> Iterator[TimePart]:
    """Divide the time by what was predicted: the prompt itself, then others, then the rest."""
    prediction = attempt.prediction
    if prediction is None:
        yield _part(TimeUse.ENGINE, seconds, attempt)
        return
    own_s = min(seconds, prediction.alone_s)
    others_s = min(seconds - own_s, max(0.0, prediction.first_token_s - prediction.alone_s))
    yield _part(TimeUse.PREFILL, own_s, attempt)
    yield _part(TimeUse.ENGINE_QUEUE, others_s, attempt)
    yield _part(TimeUse.UNPREDICTED, seconds - own_s - others_s, attempt)


def _part(use: TimeUse, seconds: float, attempt: AttemptTimeline) -> TimePart:
    return TimePart(use, seconds, attempt.replica_id, attempt.number)
