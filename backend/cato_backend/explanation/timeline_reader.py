"""Reads the timelines of one request id from the entries of an event log."""

from __future__ import annotations

from collections.abc import Iterable

from cato_backend.explanation.logged_fleet import LoggedFleet
from cato_backend.explanation.timeline import (
    AttemptEnding,
    AttemptTimeline,
    RequestTimeline,
    client_id,
    is_call_of,
)
from cato_backend.requests import Request
from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Cancelled,
    Cause,
    Dispatch,
    Finished,
    LoadReported,
    Progressed,
    Refusal,
    Reject,
    ReplicaDown,
    Submitted,
)
from cato_backend.scheduling.journal import Entry, NoteEntry, OutcomeNote, PredictionNote

_BY_CAUSE = {
    Cause.ERROR: AttemptEnding.ERROR,
    Cause.BUSY: AttemptEnding.BUSY,
    Cause.RECALLED: AttemptEnding.RECALLED,
    Cause.NOT_SENT: AttemptEnding.NOT_SENT,
}


def timelines_of(entries: Iterable[Entry | NoteEntry], request_id: str) -> list[RequestTimeline]:
    """Return the timelines of all requests of that id, in the order of their arrival.

    Several tokens, or one client, may use an id twice. A whole task of several calls has no request
    of its own: the timelines are those of its calls.
    """
    reader = _TimelineReader(request_id)
    for entry in entries:
        reader.take(entry)
    return reader.timelines


class _TimelineReader:
    """Reads a log, and keeps the events of the requests of one id."""

    def __init__(self, name: str) -> None:
        self.timelines: list[RequestTimeline] = []
        self._name = name
        self._fleet = LoggedFleet()
        self._known: dict[str, RequestTimeline] = {}
        """The latest timeline of each of the scheduler's ids."""

    def take(self, entry: Entry | NoteEntry) -> None:
        """Follow one line."""
        for timeline in self._known.values():
            timeline.seen_at = entry.t
        if isinstance(entry, NoteEntry):
            self._note(entry.note)
            return
        self._fleet.take(entry)
        self._event(entry)
        for decision in entry.decisions:
            match decision:
                case Dispatch():
                    self._dispatch(decision, entry.t)
                case Abort(request_id, attempt, moved):
                    self._abort(request_id, attempt, entry, moved=moved)
                case Reject(request_id, refusal, retry_after_s):
                    self._reject(request_id, refusal, retry_after_s, entry)
                case _:
                    pass

    def _event(self, entry: Entry) -> None:
        match entry.event:
            case Submitted(request):
                own = self._name in (request.id, client_id(request.id))
                if own or is_call_of(request.id, self._name):
                    self._submit(request, entry.t)
            case Progressed() as progress:
                self._progress(progress, entry.t)
            case Finished(request_id, attempt):
                if self._end_attempt(request_id, attempt, entry.t, AttemptEnding.FINISHED):
                    self._known[request_id].ended_at = entry.t
            case AttemptFailed(request_id, attempt, _, cause):
                self._end_attempt(request_id, attempt, entry.t, _BY_CAUSE[cause])
            case LoadReported() as report:
                self._report(report)
            case Cancelled(request_id):
                timeline = self._known.get(request_id)
                if timeline is not None and timeline.ended_at is None:
                    timeline.ended_at = entry.t
            case _:
                pass

    def _submit(self, request: Request, now: float) -> None:
        snapshot = self._fleet.queue_snapshot(request)
        old = self._known.get(request.id)
        if old is not None and not old.outcome and old.request.arrival == request.arrival:
            # The fleet changed under it, and its call was made again.
            old.request, old.ended_at = request, None
            return
        self._known[request.id] = timeline = RequestTimeline(request, now, snapshot, seen_at=now)
        self.timelines.append(timeline)

    def _progress(self, event: Progressed, now: float) -> None:
        attempt = self._attempt(event.request_id, event.attempt)
        if attempt is None:
            return
        attempt.tokens += event.tokens
        if event.tokens and attempt.first_token_at is None:
            attempt.first_token_at = now
        if event.prompt_tokens is not None:
            attempt.prompt_tokens = event.prompt_tokens
        if event.cached_tokens is not None:
            attempt.cached_tokens = event.cached_tokens

    def _report(self, report: LoadReported) -> None:
        for timeline in self._known.values():
            attempt = timeline.attempt
            if attempt is None or attempt.replica_id != report.replica_id:
                continue
            if attempt.first_token_at is None and attempt.ended_at is None:
                attempt.engine_waiting = max(attempt.engine_waiting, report.waiting)

    def _dispatch(self, dispatch: Dispatch, now: float) -> None:
        sent = self._fleet.waiting.get(dispatch.request_id)
        if sent is not None:
            self._count_before_others(sent)
        timeline = self._known.get(dispatch.request_id)
        if timeline is not None:
            snapshot = self._fleet.engine_snapshot(dispatch.replica_id)
            timeline.attempts.append(
                AttemptTimeline(
                    dispatch.attempt, dispatch.replica_id, now, dispatch.relegated, snapshot
                )
            )
        self._fleet.dispatch(dispatch)

    def _count_before_others(self, sent: Request) -> None:
        for timeline in self._known.values():
            waits = timeline.request.id in self._fleet.waiting and timeline.request.id != sent.id
            if waits and sent.model == timeline.request.model:
                earlier = sent.arrival <= timeline.request.arrival
                (timeline.earlier_first if earlier else timeline.later_first)[sent.task] += 1

    def _abort(self, request_id: str, number: int, entry: Entry, *, moved: bool) -> None:
        ending = AttemptEnding.MOVED if moved else AttemptEnding.WITHDRAWN
        if isinstance(entry.event, ReplicaDown):
            ending = AttemptEnding.REPLICA_DIED
        self._end_attempt(request_id, number, entry.t, ending)

    def _reject(
        self, request_id: str, refusal: Refusal, retry_after_s: float, entry: Entry
    ) -> None:
        timeline = self._known.get(request_id)
        if timeline is None:
            return
        timeline.refusal, timeline.retry_after_s, timeline.ended_at = (
            refusal,
            retry_after_s,
            entry.t,
        )
        if refusal is Refusal.SUPERSEDED and isinstance(entry.event, Submitted):
            timeline.superseded_by = client_id(entry.event.request.id)

    def _end_attempt(self, request_id: str, number: int, now: float, ending: AttemptEnding) -> bool:
        attempt = self._attempt(request_id, number)
        if attempt is None or attempt.ended_at is not None:
            return False
        attempt.ended_at, attempt.ending = now, ending
        return True

    def _note(self, note: PredictionNote | OutcomeNote) -> None:
        timeline = self._known.get(note.request_id)
        if timeline is None:
            return
        if isinstance(note, OutcomeNote):
            timeline.outcome = note.outcome
        elif (attempt := self._attempt(note.request_id, note.attempt)) is not None:
            attempt.prediction = note

    def _attempt(self, request_id: str, number: int) -> AttemptTimeline | None:
        timeline = self._known.get(request_id)
        attempt = None if timeline is None else timeline.attempt
        return attempt if attempt is not None and attempt.number == number else None
