"""What the time of a request was made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cato_backend.explanation.timeline import AttemptEnding, AttemptTimeline, RequestTimeline

_LEAST_S = 0.0005
"""Shorter parts are left out."""


class TimeUse(StrEnum):
    """What a request spent time on; low-cardinality."""

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
