"""Formats an explanation for people and as a JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cato_backend.explanation.timeline import (
    AttemptTimeline,
    RequestTimeline,
    TimeUse,
    client_id,
    parts_of,
)
from cato_backend.explanation.verdict import pace_s, promised_at, verdict_of
from cato_backend.runtime.lateness import duration
from cato_backend.scheduling.journal import PredictionNote
from cato_backend.wire.headers import Task

_NAMES = {
    TimeUse.RECEPTION: "reading the request",
    TimeUse.QUEUE: "waiting in our queue",
    TimeUse.FAILED_ATTEMPT: "an attempt that failed",
    TimeUse.PREFILL: "computing its own prompt",
    TimeUse.ENGINE_QUEUE: "others on the replica, as predicted",
    TimeUse.UNPREDICTED: "longer than predicted",
    TimeUse.ENGINE: "the replica, to the first token",
    TimeUse.DECODING: "decoding",
}
_WIDTH = 52


def lines_of(timeline: RequestTimeline, when: str) -> Iterator[str]:
    """Yield the explanation, the verdict first. `when`: its arrival, for people."""
    request = timeline.request
    yield verdict_of(timeline).sentence
    yield ""
    yield f"{client_id(request.id)}: {request.task} for {request.model}, came {when}"
    yield f"  target: {_target(timeline)}"
    yield f"  found:  {_found(timeline)}"
    first = _before(timeline)
    if first:
        yield f"  sent before it: {first}"
    for attempt in timeline.attempts:
        yield from _attempt(timeline, attempt)
    yield ""
    yield "what the time was made of"
    for part in parts_of(timeline, timeline.known_until):
        replica = f" ({part.replica_id})" if part.replica_id else ""
        yield f"  {_NAMES[part.use] + replica:{_WIDTH}} {duration(part.seconds):>8}"
    yield f"  {'together':{_WIDTH}} {duration(timeline.known_until - request.arrival):>8}"


def task_lines(task_id: str, calls: Sequence[RequestTimeline]) -> Iterator[str]:
    """Yield a line for each call of a whole task: its outcome."""
    yield f"{task_id} is a whole task of {_counted(len(calls), 'call')}"
    for timeline in calls:
        yield f"  {client_id(timeline.request.id)}: {verdict_of(timeline).sentence}"
    yield "`cato why` with the id of a call tells more of it"


def as_json(timeline: RequestTimeline, epoch: float | None) -> dict[str, Any]:
    """Return the explanation; times in seconds from the arrival. `epoch`: of the log."""
    request, verdict = timeline.request, verdict_of(timeline)
    return {
        "request_id": client_id(request.id),
        "arrived_unix_s": None if epoch is None else request.arrival + epoch,
        "class": request.task,
        "model": request.model,
        "target": asdict(request.target),
        "over_budget": request.share.over_budget,
        "fate": verdict.ending,
        "cause": verdict.cause,
        "sentence": verdict.sentence,
        "refusal": timeline.refusal,
        "outcome": timeline.outcome or None,
        "superseded_by": timeline.superseded_by or None,
        "found": asdict(timeline.snapshot),
        "sent_before": {
            "earlier": dict(timeline.earlier_first),
            "later": dict(timeline.later_first),
        },
        "first_token_s": _since(timeline, timeline.first_token_at),
        "promised_s": _since(timeline, promised_at(timeline)),
        "ended_s": _since(timeline, timeline.ended_at),
        "pace_s": pace_s(timeline),
        "tokens": timeline.tokens,
        "attempts": [_attempt_json(timeline, attempt) for attempt in timeline.attempts],
        "parts": [asdict(part) for part in parts_of(timeline, timeline.known_until)],
    }


def _since(timeline: RequestTimeline, time: float | None) -> float | None:
    return None if time is None else time - timeline.request.arrival


def _attempt_json(timeline: RequestTimeline, attempt: AttemptTimeline) -> dict[str, Any]:
    prediction = attempt.prediction
    return {
        "number": attempt.number,
        "replica": attempt.replica_id,
        "sent_s": _since(timeline, attempt.sent_at),
        "relegated": attempt.relegated,
        "found": asdict(attempt.snapshot),
        "predicted": None if prediction is None else _predicted_json(prediction._asdict()),
        "first_token_s": _since(timeline, attempt.first_token_at),
        "ended_s": _since(timeline, attempt.ended_at),
        "ending": attempt.ending,
        "tokens": attempt.tokens,
        "prompt_tokens": attempt.prompt_tokens,
        "cached_tokens": attempt.cached_tokens,
        "engine_waiting": attempt.engine_waiting,
    }


def _predicted_json(note: Mapping[str, Any]) -> dict[str, float]:
    """Return the predicted seconds from the dispatch on."""
    return {name: seconds for name, seconds in note.items() if name.endswith("_s")}


# -- for people --------------------------------------------------------------------------------


def _target(timeline: RequestTimeline) -> str:
    target = timeline.request.target
    event = "first token" if target.ttft_s is not None else "whole answer"
    parts = [f"{event} after {duration(target.budget_s)}"]
    if target.tpot_s is not None:
        parts.append(f"{duration(target.tpot_s)} between two tokens")
    if target.worthless_after_s is not None:
        parts.append(f"of no use after {duration(target.worthless_after_s)}")
    if timeline.request.share.over_budget:
        parts.append("over the budget of the day, so behind all others")
    return ", ".join(parts)


def _found(timeline: RequestTimeline) -> str:
    snapshot = timeline.snapshot
    asleep = f", {snapshot.asleep} asleep" if snapshot.asleep else ""
    ejected = f", {snapshot.ejected} ejected" if snapshot.ejected else ""
    return (
        f"{snapshot.running} of {snapshot.slots} slots taken on "
        f"{_counted(snapshot.replicas, 'replica')}"
        f"{asleep}{ejected}; {_classes(snapshot.waiting) or 'nothing'} ahead in the queue"
    )


def _before(timeline: RequestTimeline) -> str:
    told = (
        (timeline.earlier_first, "that had waited longer"),
        (timeline.later_first, "that came later"),
    )
    return "; ".join(f"{_classes(counts)} {what}" for counts, what in told if counts)


def _attempt(timeline: RequestTimeline, attempt: AttemptTimeline) -> Iterator[str]:
    sent_s = attempt.sent_at - timeline.request.arrival
    relegated = ", behind all that could still meet their targets" if attempt.relegated else ""
    yield f"  attempt {attempt.number}: {attempt.replica_id}, after {duration(sent_s)}{relegated}"
    snapshot = attempt.snapshot
    reported = (
        "" if snapshot.reported_waiting is None else f", {snapshot.reported_waiting} in its queue"
    )
    others = f", {snapshot.others} of others" if snapshot.others else ""
    yield (
        f"    on it:     {_counted(snapshot.running, 'request')}, {snapshot.prefilling} without a "
        f"token ({snapshot.prefill_tokens} prompt tokens){others}{reported}"
    )
    if attempt.prediction is not None:
        yield f"    predicted: {_predicted(attempt.prediction)}"
    yield f"    came:      {_came(attempt)}"


def _predicted(note: PredictionNote) -> str:
    whole = (
        "" if note.promised_s == note.first_token_s else f", all after {duration(note.promised_s)}"
    )
    return (
        f"first token after {duration(note.first_token_s)} ({duration(note.alone_s)} on an idle "
        f"replica){whole}; bound {duration(note.bound_s)}"
    )


def _came(attempt: AttemptTimeline) -> str:
    parts: list[str] = []
    if attempt.first_token_at is not None:
        parts.append(f"first token after {duration(attempt.first_token_at - attempt.sent_at)}")
        parts.append(_counted(attempt.tokens, "token"))
    if attempt.prompt_tokens is not None:
        cached = attempt.cached_tokens or 0
        parts.append(f"{attempt.prompt_tokens} prompt tokens, {cached} of them cached")
    if attempt.ended_at is not None:
        parts.append(f"{attempt.ending} after {duration(attempt.ended_at - attempt.sent_at)}")
    return ", ".join(parts) or "nothing yet"


def _classes(counts: Mapping[Task, int]) -> str:
    return ", ".join(f"{count} {task}" for task, count in sorted(counts.items()))


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
