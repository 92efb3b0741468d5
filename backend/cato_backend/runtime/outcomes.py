"""How each call ended, in the terms of DESIGN's goodput."""

from __future__ import annotations

from cato_backend.metrics import Metrics
from cato_backend.requests import Request
from cato_backend.runtime.flight import Flight
from cato_backend.wire.headers import CancelReason


class Scorekeeper:
    """Counts outcomes and latencies.

    `met` and `late` by the task's own target; `enough` counts as met; what the client withdrew
    (`cancelled`) does not count; refusals count under their own code.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def finished(self, flight: Flight, now: float) -> None:
        """The whole answer went out at `now`."""
        request = flight.call.request
        promised = now if request.target.ttft_s is None else flight.first_token_at
        met = promised is not None and promised <= request.deadline
        self._count(request, "met" if met else "late")
        self._metrics.e2e.labels(request.task).observe(now - request.arrival)
        self._latencies(flight)

    def ended(self, flight: Flight, reason: CancelReason) -> None:
        """The client ended it by name."""
        enough = reason is CancelReason.ENOUGH
        self._count(flight.call.request, "enough" if enough else "cancelled")
        self._latencies(flight)

    def cancelled(self, request: Request) -> None:
        """The client closed its connection."""
        self._count(request, "cancelled")

    def refused(self, request: Request, code: str) -> None:
        """It was answered with an error."""
        self._count(request, code)

    def _count(self, request: Request, outcome: str) -> None:
        self._metrics.requests.labels(request.task, outcome).inc()

    def _latencies(self, flight: Flight) -> None:
        request = flight.call.request
        if flight.dispatched_at is not None:
            self._metrics.queued.labels(request.task).observe(
                flight.dispatched_at - request.arrival
            )
        if flight.first_token_at is not None:
            self._metrics.ttft.labels(request.task).observe(flight.first_token_at - request.arrival)
