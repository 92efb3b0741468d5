"""The ending of a request and its cause, in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cato_backend.explanation.timeline import RequestTimeline, TimePart, TimeUse, parts_of
from cato_backend.runtime.lateness import duration
from cato_backend.scheduling import Refusal

_REFUSALS = {
    Refusal.OVERLOADED: "the queue was full",
    Refusal.SUPERSEDED: "a newer request of the same document took its place",
    Refusal.EXPIRED: "its answer was of no use any more before a replica could start it",
    Refusal.NO_REPLICA: "no replica served its model until its deadline",
    Refusal.REPLICA_FAILED: "its replica failed, and another one could not continue the answer",
    Refusal.REPLICAS_BUSY: "every replica refused requests until after its deadline",
    Refusal.REPLICAS_DIED: "two replicas died while they were starting it",
}
_CAUSES = {
    TimeUse.RECEPTION: "its body took {} to arrive and to be read",
    TimeUse.QUEUE: "it waited {} in the queue",
    TimeUse.FAILED_ATTEMPT: "an attempt failed after {}, and another one had to follow",
    TimeUse.PREFILL: "its own prompt took {} to compute",
    TimeUse.ENGINE_QUEUE: "others on its replica delayed its first token by {}",
    TimeUse.UNPREDICTED: "its replica took {} longer to the first token than was predicted",
    TimeUse.ENGINE: "its replica took {} to the first token",
    TimeUse.DECODING: "its tokens took {} to come",
}
_ITS_OWN = frozenset({TimeUse.PREFILL, TimeUse.DECODING})
"""What the request itself takes on an idle replica."""
_IN_THE_ENGINE = frozenset({TimeUse.ENGINE_QUEUE, TimeUse.UNPREDICTED, TimeUse.ENGINE})


class RequestEnding(StrEnum):
    """Endings of a request."""

    MET = "met"
    LATE = "late"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    ENOUGH = "enough"
    """Its client had as much of the answer as it wanted."""
    WAITING = "waiting"
    RUNNING = "running"


_ENDED_BY_CLIENT = frozenset(
    {RequestEnding.SUPERSEDED, RequestEnding.CANCELLED, RequestEnding.ENOUGH}
)
_BY_OUTCOME = {
    str(ending): ending
    for ending in (
        RequestEnding.MET,
        RequestEnding.LATE,
        RequestEnding.CANCELLED,
        RequestEnding.ENOUGH,
    )
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of a request. `cause`: the largest part of its time, if it was late."""

    ending: RequestEnding
    cause: TimeUse | None
    sentence: str


def ending_of(timeline: RequestTimeline) -> RequestEnding:
    """Return how the request ended, or where it is."""
    if timeline.refusal is Refusal.SUPERSEDED:
        return RequestEnding.SUPERSEDED
    if timeline.refusal is not None:
        return RequestEnding.REFUSED
    if timeline.outcome:
        return _BY_OUTCOME.get(timeline.outcome, RequestEnding.REFUSED)
    if timeline.ended_at is None:
        on_replica = timeline.attempt is not None and timeline.attempt.ended_at is None
        return RequestEnding.RUNNING if on_replica else RequestEnding.WAITING
    if timeline.finished:
        return RequestEnding.LATE if is_late(timeline) else RequestEnding.MET
    return RequestEnding.CANCELLED


def promised_at(timeline: RequestTimeline) -> float | None:
    """Return when the promised event came: the first token or the end of the whole answer."""
    if timeline.request.target.ttft_s is not None:
        return timeline.first_token_at
    return timeline.ended_at if timeline.finished else None


def pace_s(timeline: RequestTimeline) -> float | None:
    """Return the mean time between two tokens; None for fewer than two or no end."""
    first, end = timeline.first_token_at, timeline.ended_at
    if first is None or end is None or timeline.tokens < 2:
        return None
    return (end - first) / (timeline.tokens - 1)


def is_late(timeline: RequestTimeline) -> bool:
    """Return whether its target was missed, or cannot be met any more."""
    return _is_overdue(timeline) or _is_slow(timeline)


def verdict_of(timeline: RequestTimeline) -> Verdict:
    """Return the outcome of the request and its cause."""
    ending = ending_of(timeline)
    if ending is RequestEnding.LATE and _is_slow(timeline) and not _is_overdue(timeline):
        return Verdict(ending, TimeUse.DECODING, f"It was late: {_slow(timeline)}.")
    cause = _costliest(timeline) if ending is RequestEnding.LATE or _is_overdue(timeline) else None
    late = "; it was late by then" if ending in _ENDED_BY_CLIENT else ""
    because = "" if cause is None else f"{late}, because {_reason(timeline, cause)}"
    sentence = f"{_SENTENCES[ending](timeline)}{because}."
    return Verdict(ending, None if cause is None else cause.use, sentence)


def _is_overdue(timeline: RequestTimeline) -> bool:
    return _reference(timeline) > timeline.request.deadline


def _is_slow(timeline: RequestTimeline) -> bool:
    pace, promised = pace_s(timeline), timeline.request.target.tpot_s
    return pace is not None and promised is not None and pace > promised


def _reference(timeline: RequestTimeline) -> float:
    """Return when the promised event came, else when the request ended, else the log's end."""
    promised = promised_at(timeline)
    return timeline.known_until if promised is None else promised


def _costliest(timeline: RequestTimeline) -> TimePart:
    """Return the part without which it would have been in time, else the longest one."""
    until = _reference(timeline)
    sums: dict[TimeUse, float] = {}
    for each in parts_of(timeline, until):
        sums[each.use] = sums.get(each.use, 0.0) + each.seconds
    avoidable = {part: seconds for part, seconds in sums.items() if part not in _ITS_OWN}
    over_s = until - timeline.request.deadline
    counted = avoidable if avoidable and sum(avoidable.values()) >= over_s else sums
    part = max(counted, key=lambda each: counted[each], default=TimeUse.QUEUE)
    return TimePart(part, counted.get(part, 0.0))


# -- sentences ---------------------------------------------------------------------------------


def _reason(timeline: RequestTimeline, cause: TimePart) -> str:
    text = _CAUSES[cause.use].format(duration(cause.seconds))
    waiting = max((each.engine_waiting for each in timeline.attempts), default=0)
    if cause.use in _IN_THE_ENGINE and waiting:
        return f"{text}, while the engine's own queue held up to {waiting}"
    if cause.use is not TimeUse.QUEUE:
        return text
    return text + "".join(f", {each}" for each in _circumstances(timeline))


def _circumstances(timeline: RequestTimeline) -> Iterator[str]:
    """Yield why it was kept in the queue, as far as the log shows it."""
    if timeline.request.share.over_budget:
        yield "behind all others, as the day's budget of its team or its owner was used"
    if any(attempt.relegated for attempt in timeline.attempts):
        yield "where requests that could still meet their targets took precedence"
    first = timeline.earlier_first.total() + timeline.later_first.total()
    if not timeline.snapshot.replicas and timeline.snapshot.asleep:
        yield "while its model slept and was woken"
    elif not timeline.snapshot.replicas:
        yield "while no replica of its model was in service"
    elif first:
        yield f"where {first} other{'s' if first > 1 else ''} took precedence"
    elif timeline.snapshot.running >= timeline.snapshot.slots:
        yield f"while all {timeline.snapshot.slots} slots of its model were taken"


def _after(timeline: RequestTimeline, time: float) -> str:
    return duration(max(0.0, time - timeline.request.arrival))


def _promise(timeline: RequestTimeline) -> str:
    target = timeline.request.target
    event = "its first token" if target.ttft_s is not None else "its whole answer"
    return (
        f"{event} came after {_after(timeline, _reference(timeline))}, "
        f"the target is {duration(target.budget_s)}"
    )


def _slow(timeline: RequestTimeline) -> str:
    target_s = timeline.request.target.tpot_s or 0.0
    return (
        f"it began in time, but {1e3 * (pace_s(timeline) or 0.0):.1f} ms passed between two tokens "
        f"in the mean, and the target is {1e3 * target_s:.1f} ms"
    )


def _refused(timeline: RequestTimeline) -> str:
    why = (
        f" with {timeline.outcome}"
        if timeline.refusal is None
        else f": {_REFUSALS[timeline.refusal]}"
    )
    return f"It was refused after {_after(timeline, timeline.known_until)}{why}"


def _superseded(timeline: RequestTimeline) -> str:
    newer = f" ({timeline.superseded_by})" if timeline.superseded_by else ""
    return (
        f"A newer request of the same document{newer} took its place after "
        f"{_after(timeline, _reference(timeline))}"
    )


def _cancelled(timeline: RequestTimeline) -> str:
    when = "before" if timeline.first_token_at is None else "after"
    after = _after(timeline, timeline.known_until)
    return f"Its client gave it up after {after}, {when} the first token"


def _enough(timeline: RequestTimeline) -> str:
    return (
        f"Its client ended it after {_after(timeline, timeline.known_until)}, "
        "when it had as much of the answer as it wanted"
    )


def _waiting(timeline: RequestTimeline) -> str:
    return f"It has not ended: it has waited in the queue until now, {_now(timeline)}"


def _running(timeline: RequestTimeline) -> str:
    replica = "" if timeline.attempt is None else timeline.attempt.replica_id
    return f"It has not ended: {replica} has it, {_now(timeline)}"


def _now(timeline: RequestTimeline) -> str:
    left_s = timeline.request.deadline - _reference(timeline)
    place = "before" if left_s >= 0 else "after"
    return f"{duration(abs(left_s))} {place} its deadline"


_SENTENCES: Mapping[RequestEnding, Callable[[RequestTimeline], str]] = {
    RequestEnding.MET: lambda timeline: f"It was not late: {_promise(timeline)}",
    RequestEnding.LATE: lambda timeline: f"It was late: {_promise(timeline)}",
    RequestEnding.REFUSED: _refused,
    RequestEnding.SUPERSEDED: _superseded,
    RequestEnding.CANCELLED: _cancelled,
    RequestEnding.ENOUGH: _enough,
    RequestEnding.WAITING: _waiting,
    RequestEnding.RUNNING: _running,
}
