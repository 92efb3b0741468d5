"""A timeline as `cato serve --event-log` records it."""

from __future__ import annotations

from cato_backend.explanation.timeline import RequestTimeline
from cato_backend.explanation.timeline_reader import timelines_of
from cato_backend.scheduling import (
    Decision,
    Event,
    Limits,
    ReplicaUp,
    Scheduler,
    WakeAt,
    Woke,
    make_policy,
)
from cato_backend.scheduling.journal import Note, encode, encode_note, entries_of
from tests.fast.scheduling.stories import MODEL


class Recorded:
    """A scheduler with replicas `a`, `b`, ... of one model, and the lines that it writes."""

    def __init__(
        self, replicas: int = 1, *, max_running: int = 1, limits: Limits | None = None
    ) -> None:
        self.scheduler = Scheduler(make_policy("round-robin"), limits)
        self.lines: list[bytes] = []
        self._wakes_at: float | None = None
        for index in range(replicas):
            self.tell(ReplicaUp("abcdef"[index], MODEL, max_running))

    def tell(self, event: Event, now: float = 0.0) -> list[Decision]:
        """What is decided on it; alarms ring before."""
        while self._wakes_at is not None and self._wakes_at <= now:
            time, self._wakes_at = self._wakes_at, None
            self._record(Woke(), time)
        return self._record(event, now)

    def note(self, note: Note, now: float) -> None:
        """As the runtime adds it."""
        self.lines.append(encode_note(note, now))

    def timeline(self, name: str) -> RequestTimeline:
        """The only one of that id."""
        (timeline,) = self.timelines(name)
        return timeline

    def timelines(self, name: str) -> list[RequestTimeline]:
        """All of that id, as they are read from the log."""
        return timelines_of(entries_of(self.lines), name)

    def _record(self, event: Event, now: float) -> list[Decision]:
        decisions = self.scheduler.handle(event, now)
        self.lines.append(encode(event, decisions, now))
        for decision in decisions:
            if isinstance(decision, WakeAt):
                self._wakes_at = decision.time
        return decisions
