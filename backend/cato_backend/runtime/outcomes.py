"""Counts how requests ended: their goodput, latencies and refusals."""

from __future__ import annotations

from functools import cache

from cato_backend.errors import Superseded
from cato_backend.metrics import Metrics
from cato_backend.requests import USABLE_S
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.tenants import CompletedCall, History
from cato_backend.scheduling import Dispatch
from cato_backend.wire.headers import CancelReason, Task

_AIMS = {Task.COMPLETION: "usable"}
_WARM = "warm"
"""Instead of a task: warming has no target and no place among the goodput of tasks."""


class OutcomeRecorder:
    """Counts outcomes and latencies, and remembers them for feedback.

    `met` and `late` by the task's own target; `enough` counts as met; what the client withdrew
    (`cancelled`) does not count; refusals count under their own code.
    """

    def __init__(self, metrics: Metrics, history: History) -> None:
        self._metrics = metrics
        self._history = history
        # Cached: `labels` converts, locks and looks up, which costs as much as the count itself.
        self._requests = cache(metrics.requests.labels)
        self._queued = cache(metrics.queued.labels)
        self._ttft = cache(metrics.ttft.labels)
        self._tpot = cache(metrics.tpot.labels)
        self._e2e = cache(metrics.e2e.labels)
        self._aims = cache(metrics.aims.labels)
        self._prompt_tokens = cache(metrics.prompt_tokens.labels)
        self._cached_tokens = cache(metrics.cached_tokens.labels)

    def dispatched(self, flight: InFlightRequest, dispatch: Dispatch) -> None:
        """Record that it is on its way to a replica.

        Perhaps not the first, perhaps behind all that can still be met.
        """
        request = flight.call.request
        if flight.begun:
            self._metrics.resumed.labels(request.task).inc()
        if dispatch.relegated and dispatch.attempt == 1 and not request.warm:
            self._metrics.relegated.labels(request.task).inc()

    def finished(self, flight: InFlightRequest, now: float) -> None:
        """Record that the whole answer went out at `now`."""
        self._count(flight, "met" if _met(flight, now) else "late", now)
        self._cache_hits(flight)
        if _stands_alone(flight):
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

    def moved(self) -> None:
        """Record that an answer that had come to a standstill was given up for another replica."""
        self._metrics.attempts_moved.inc()

    def broken(self) -> None:
        """Record that a replica broke an attempt off."""
        self._metrics.retries.inc()

    def _count(self, flight: InFlightRequest, outcome: str, ended_at: float | None = None) -> None:
        request = flight.call.request
        if flight.call.group:
            self._metrics.workflow_calls.labels(request.task, outcome).inc()
            return
        self._requests(_label(flight), outcome).inc()
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

    def task_ended(self, request_id: str, past: CompletedCall) -> None:
        """Record that a whole task of several calls has ended."""
        self._requests(past.task, past.outcome).inc()
        if past.e2e_s is not None:
            self._e2e(past.task).observe(past.e2e_s)
        self._history.add(request_id, past)

    def _cache_hits(self, flight: InFlightRequest) -> None:
        prompt, cached = flight.answer.prompt_tokens, flight.answer.cached_tokens
        if prompt is not None and cached is not None:
            self._prompt_tokens(_label(flight)).inc(prompt)
            self._cached_tokens(_label(flight)).inc(min(cached, prompt))

    def _whole(self, flight: InFlightRequest, now: float) -> None:
        """Record that the answer has come to its end, or as far as its client wanted it."""
        request, first, tokens = flight.call.request, flight.first_token_at, flight.answer.tokens
        self._latencies(flight)
        self._e2e(request.task).observe(now - request.arrival)
        if first is not None and tokens > 1:
            self._tpot(request.task).observe((now - first) / (tokens - 1))
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
    """Neither warming nor one call of a whole task."""
    return not flight.call.request.warm and not flight.call.group


def _met(flight: InFlightRequest, now: float) -> bool:
    """Return whether a whole answer met its target: TTFT and TPOT, or E2E."""
    target, first = flight.call.request.target, flight.first_token_at
    promised = now if target.ttft_s is None else first
    if promised is None or promised > flight.call.request.deadline:
        return False
    tokens = flight.answer.tokens
    if target.tpot_s is None or first is None or tokens < 2:
        return True
    return now - first <= target.tpot_s * (tokens - 1)


def _label(flight: InFlightRequest) -> str:
    request = flight.call.request
    return _WARM if request.warm else request.task
