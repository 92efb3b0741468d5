"""The times of one call, read off its flight."""

from __future__ import annotations

from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.lateness import CallTiming
from cato_backend.runtime.recent import AnswerTimes
from cato_backend.runtime.tenants import CompletedCall


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
