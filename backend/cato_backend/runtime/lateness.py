"""Explains in words why a request was late: its wait, its engine, or a wrong prediction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

_SHORT_S = 1.0
"""Shorter times are told in milliseconds."""


class LateCause(StrEnum):
    """Main causes of lateness; low-cardinality."""

    QUEUE = "queue"
    PREDICTION = "prediction"
    """Its engine took longer than was predicted."""
    TARGET = "target"
    """Its engine was predicted to need longer than the target allows."""
    PACE = "pace"
    """It began in time, and its tokens came too slowly."""
    MOVED = "moved"
    """An attempt failed, and another one began after it."""
    REFUSED = "refused"
    CALLS = "calls"
    """The calls of a whole task took longer together than its target allows."""


class Lateness(NamedTuple):
    """Why one request was late."""

    cause: LateCause
    text: str


@dataclass(frozen=True, slots=True)
class CallTiming:
    """The times of one call, in seconds from its arrival unless said otherwise."""

    budget_s: float
    promised_s: float
    """To the promised event: the first or the last token."""
    queue_s: float
    """To its latest dispatch."""
    attempts: int = 1
    predicted_s: float | None = None
    """From the latest dispatch to the promised event, as predicted then."""
    tpot_s: float | None = None
    tpot_target_s: float | None = None


def why_late(timing: CallTiming) -> Lateness:
    """Return what cost a late call most."""
    over_s = timing.promised_s - timing.budget_s
    if over_s <= 0:
        return Lateness(LateCause.PACE, _pace(timing))
    if timing.attempts > 1:
        return Lateness(LateCause.MOVED, _moved(timing))
    engine_s = timing.promised_s - timing.queue_s
    error_s = 0.0 if timing.predicted_s is None else max(0.0, engine_s - timing.predicted_s)
    if timing.predicted_s is not None and timing.queue_s + error_s < over_s:
        return Lateness(LateCause.TARGET, _target(timing, timing.predicted_s))
    if timing.predicted_s is None or timing.queue_s >= error_s:
        return Lateness(LateCause.QUEUE, _queue(timing, engine_s))
    return Lateness(LateCause.PREDICTION, _prediction(timing, engine_s, timing.predicted_s))


def why_refused(code: str, waited_s: float) -> Lateness:
    """Return in words the refusal of a call after a wait in seconds."""
    return Lateness(LateCause.REFUSED, f"refused with {code} after {duration(waited_s)}")


def why_task_late(e2e_s: float) -> Lateness:
    """Return the main cause of lateness of a whole task of several calls."""
    return Lateness(LateCause.CALLS, f"its calls took {duration(e2e_s)} together")


def duration(seconds: float) -> str:
    """Return a time for people: `250 ms`, `2.4 s`."""
    return f"{seconds * 1e3:.0f} ms" if seconds < _SHORT_S else f"{seconds:.1f} s"


def _queue(timing: CallTiming, engine_s: float) -> str:
    return (
        f"{duration(timing.queue_s)} in the queue, {duration(engine_s)} in the engine; "
        f"the target is {duration(timing.budget_s)}"
    )


def _prediction(timing: CallTiming, engine_s: float, predicted_s: float) -> str:
    return (
        f"the engine took {duration(engine_s)}, {duration(predicted_s)} were predicted; "
        f"the target is {duration(timing.budget_s)}"
    )


def _target(timing: CallTiming, predicted_s: float) -> str:
    return (
        f"the engine was predicted to need {duration(predicted_s)}; "
        f"the target is {duration(timing.budget_s)}"
    )


def _moved(timing: CallTiming) -> str:
    return (
        f"attempt {timing.attempts} began after {duration(timing.queue_s)}, "
        f"because an earlier one failed; the target is {duration(timing.budget_s)}"
    )


def _pace(timing: CallTiming) -> str:
    taken, promised = timing.tpot_s, timing.tpot_target_s
    if taken is None or promised is None:
        return "it began in time and ended late"
    return f"{duration(taken)} between two tokens; the target is {duration(promised)}"
