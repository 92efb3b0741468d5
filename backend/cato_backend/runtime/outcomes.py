"""Counts how requests ended: their goodput, latencies and refusals."""

from __future__ import annotations

from functools import cache

from cato_backend.errors import RequestCancelled, Superseded
from cato_backend.metrics import Metrics
from cato_backend.requests import USABLE_S
from cato_backend.runtime.accounting import TeamCounts
from cato_backend.runtime.event_log import RequestNotes
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.lateness import CallTiming, why_late, why_refused, why_task_late
from cato_backend.runtime.recent import AnswerTimes, RecentOutcomes
from cato_backend.runtime.slow_requests import SlowRequests
from cato_backend.runtime.tenants import CompletedCall, History
from cato_backend.runtime.traces import TokenCounts
from cato_backend.scheduling import Dispatch
from cato_backend.scheduling.journal import OutcomeNote
from cato_backend.wire.headers import CancelReason, Task

_WARM = "warm"
"""Instead of a task: warming has no target and no place among the goodput of tasks."""

_COMPARED = "compared"
"""The same for answers that are compared with another one."""


def met(flight: InFlightRequest, now: float) -> bool:
    """Return whether a whole answer met its target: TTFT and TPOT, or E2E."""
    target, first = flight.call.request.target, flight.first_token_at
    promised = now if target.ttft_s is None else first
    if promised is None or promised > flight.call.request.deadline:
        return False
    pace_s = tpot_s(flight, now)
    return target.tpot_s is None or pace_s is None or pace_s <= target.tpot_s


def tpot_s(flight: InFlightRequest, now: float) -> float | None:
    """Return the mean time between two tokens; None for fewer than two."""
    first, tokens = flight.first_token_at, flight.answer.tokens
    return (now - first) / (tokens - 1) if first is not None and tokens > 1 else None


def times(flight: InFlightRequest, past: CompletedCall, ended_at: float | None) -> AnswerTimes:
    """Return what is known of a call that has ended; `ended_at`: where its answer is whole."""
    sent = flight.dispatched_at
    return AnswerTimes(
        queue_s=None if sent is None else sent - flight.call.request.arrival,
        ttft_s=past.ttft_s,
        tpot_s=None if ended_at is None else tpot_s(flight, ended_at),
        e2e_s=past.e2e_s,
    )


def timing(flight: InFlightRequest, now: float) -> CallTiming:
    """Return the times of a whole answer that went out at `now`."""
    request, first = flight.call.request, flight.first_token_at
    promised = first if request.target.ttft_s is not None and first is not None else now
    sent = request.arrival if flight.dispatched_at is None else flight.dispatched_at
    return CallTiming(
        budget_s=request.target.budget_s,
        promised_s=promised - request.arrival,
        queue_s=sent - request.arrival,
        attempts=flight.attempts,
        predicted_s=None if flight.predicted is None else flight.predicted.service_s,
        tpot_s=tpot_s(flight, now),
        tpot_target_s=request.target.tpot_s,
    )


_AIMS = {Task.COMPLETION: "usable"}


class OutcomeRecorder:
    """Counts outcomes and latencies, and remembers them for feedback.

    `met` and `late` by the task's own target; `enough` counts as met; what the client withdrew
    (`cancelled`) does not count; refusals count under their own code.
    """

    def __init__(
        self,
        metrics: Metrics,
        history: History,
        recent: RecentOutcomes,
        notes: RequestNotes,
        slow: SlowRequests,
    ) -> None:
        self._notes = notes
        self._slow = slow
        self._teams = TeamCounts(metrics)
        self._metrics = metrics
        self._history = history
        self._recent = recent
        # Cached: `labels` converts, locks and looks up, which costs as much as the count itself.
        self._requests = cache(metrics.requests.labels)
        self._queued = cache(metrics.queued.labels)
        self._ttft = cache(metrics.ttft.labels)
        self._tpot = cache(metrics.tpot.labels)
        self._e2e = cache(metrics.e2e.labels)
        self._aims = cache(metrics.aims.labels)
        self._output_tokens = cache(metrics.output_tokens.labels)
        self._prompt_tokens = cache(metrics.prompt_tokens.labels)
        self._cached_tokens = cache(metrics.cached_tokens.labels)

    def dispatched(self, flight: InFlightRequest, dispatch: Dispatch) -> None:
        """Record that it is on its way to a replica.

        Perhaps not the first, perhaps behind all that can still be met.
        """
        request = flight.call.request
        if not _is_shown(flight):
            return
        if flight.begun:
            self._metrics.resumed.labels(request.task).inc()
        if dispatch.relegated and dispatch.attempt == 1:
            self._metrics.relegated.labels(request.task).inc()

    def finished(self, flight: InFlightRequest, now: float) -> None:
        """Record that the whole answer went out at `now`."""
        is_met = met(flight, now)
        self._count(flight, "met" if is_met else "late", now)
        self._cache_hits(flight)
        if _stands_alone(flight):
            if not is_met:
                self._late(flight, now)
            self._whole(flight, now)

    def ended(self, flight: InFlightRequest, reason: CancelReason, now: float) -> None:
        """Record that the client ended it by name."""
        enough = reason is CancelReason.ENOUGH
        self._count(flight, "enough" if enough else "cancelled", now)
        if not _stands_alone(flight):
            return
        if enough:
            self._whole(flight, now)
        else:
            self._latencies(flight)
            self._taken_back(flight, now)

    def cancelled(self, flight: InFlightRequest, now: float) -> None:
        """Record that the client closed its connection at `now`."""
        self._count(flight, "cancelled")
        if _stands_alone(flight):
            self._taken_back(flight, now)

    def refused(self, flight: InFlightRequest, code: str) -> None:
        """Record that it was answered with an error."""
        self._count(flight, code)
        if _stands_alone(flight) and code != Superseded.code:
            self._aim(flight.call.request.task, met=False)
            if code != RequestCancelled.code:
                self._refused(flight, code)

    def moved(self) -> None:
        """Record that an answer that had come to a standstill was given up for another replica."""
        self._metrics.attempts_moved.inc()

    def broken(self) -> None:
        """Record that a replica broke an attempt off."""
        self._metrics.retries.inc()

    def _count(self, flight: InFlightRequest, outcome: str, ended_at: float | None = None) -> None:
        request = flight.call.request
        if self._notes:
            self._notes.tell(OutcomeNote(request.id, outcome))
        answer, label, is_shown = flight.answer, _label(flight), _is_shown(flight)
        counts = TokenCounts(flight.output_tokens, answer.prompt_tokens, answer.cached_tokens)
        flight.trace.ended(outcome, counts)
        tokens = answer.tokens + answer.tokens_at_once
        self._output_tokens(label).inc(tokens)
        if not request.warm:
            self._teams.spent(request.origin.team, tokens)
        if is_shown:
            self._teams.ended(request.origin.team, outcome)
        if flight.call.group:
            self._metrics.workflow_calls.labels(request.task, outcome).inc()
            return
        self._requests(label, outcome).inc()
        first = flight.first_token_at
        past = CompletedCall(
            tenant=request.origin.tenant,
            task=request.task,
            model=request.model,
            outcome=outcome,
            ttft_s=None if first is None else first - request.arrival,
            e2e_s=None if ended_at is None else ended_at - request.arrival,
        )
        self._history.add(flight.call.name, past)
        if is_shown:
            self._recent.asked((request.origin.tenant, request.origin.session))
            self._recent.ended(request.task, outcome, times(flight, past, ended_at))

    def task_ended(self, request_id: str, past: CompletedCall) -> None:
        """Record that a whole task of several calls has ended."""
        self._requests(past.task, past.outcome).inc()
        if past.e2e_s is not None:
            self._e2e(past.task).observe(past.e2e_s)
        self._recent.ended(past.task, past.outcome, AnswerTimes(e2e_s=past.e2e_s))
        if past.outcome == "late" and past.e2e_s is not None:
            self._recent.late(past.task, past.model, "", why_task_late(past.e2e_s))
        self._history.add(request_id, past)

    def _late(self, flight: InFlightRequest, now: float) -> None:
        request, times = flight.call.request, timing(flight, now)
        self._recent.late(request.task, request.model, flight.replica_id, why_late(times))
        self._slow.ended(flight.call, flight.replica_id, times)

    def _refused(self, flight: InFlightRequest, code: str) -> None:
        request = flight.call.request
        lateness = why_refused(code, self._recent.since(request.arrival))
        self._recent.late(request.task, request.model, flight.replica_id, lateness)

    def _cache_hits(self, flight: InFlightRequest) -> None:
        prompt, cached = flight.answer.prompt_tokens, flight.answer.cached_tokens
        if prompt is not None and cached is not None:
            label = _label(flight)
            self._prompt_tokens(label).inc(prompt)
            self._cached_tokens(label).inc(min(cached, prompt))

    def _whole(self, flight: InFlightRequest, now: float) -> None:
        """Record that the answer is complete, or as long as its client wanted it."""
        request, pace_s = flight.call.request, tpot_s(flight, now)
        self._latencies(flight)
        self._e2e(request.task).observe(now - request.arrival)
        if pace_s is not None:
            self._tpot(request.task).observe(pace_s)
        self._aim(request.task, met=now - request.arrival <= USABLE_S)

    def _taken_back(self, flight: InFlightRequest, now: float) -> None:
        """Somebody who waited longer than is aimed at has not had it in time."""
        request = flight.call.request
        if request.task is Task.COMPLETION and now - request.arrival > USABLE_S:
            self._aim(request.task, met=False)

    def _aim(self, task: Task, *, met: bool) -> None:
        aim = _AIMS.get(task)
        if aim is not None:
            self._aims(task, aim, "met" if met else "missed").inc()

    def _latencies(self, flight: InFlightRequest) -> None:
        request = flight.call.request
        if flight.dispatched_at is not None:
            self._queued(request.task).observe(flight.dispatched_at - request.arrival)
        if flight.first_token_at is not None:
            self._ttft(request.task).observe(flight.first_token_at - request.arrival)


def _stands_alone(flight: InFlightRequest) -> bool:
    """Neither warming, nor one call of a whole task, nor compared with another answer."""
    return _is_shown(flight) and not flight.call.group


def _is_shown(flight: InFlightRequest) -> bool:
    """Neither warming, nor compared with another answer."""
    return not (flight.call.request.warm or flight.call.compared)


def _label(flight: InFlightRequest) -> str:
    request = flight.call.request
    if request.warm:
        return _WARM
    return _COMPARED if flight.call.compared else request.task
