"""Holds each call against the budgets of its team and person, and counts what it uses."""

from __future__ import annotations

import time
from dataclasses import replace
from types import TracebackType

from cato_backend.runtime.calls import Call
from cato_backend.runtime.engine_seconds import EngineSeconds
from cato_backend.runtime.in_flight import CallOutdated, InFlightRequest
from cato_backend.runtime.spent import TenantAccounts
from cato_backend.team.budgets import Reserved, Used
from cato_backend.team.live import LiveTeams

_WARM = "warm"
"""Instead of a task, as in the metrics."""


class Accounting:
    """Counts calls, output tokens and engine seconds."""

    def __init__(self, teams: LiveTeams) -> None:
        self._teams = teams
        self.seconds = EngineSeconds()
        """Is to be told every event and decision."""
        self.spent = TenantAccounts(time.time)

    def counted(self, call: Call) -> CountedCall:
        """Return a block that gives the call in flight, marked where it is over budget.

        Raises BudgetSpent.
        """
        request = call.request
        tokens = request.max_tokens * call.choices
        may_refuse = not call.group  # A whole task that has begun is not refused halfway.
        reserved = self._teams.reserve(request.origin.tenant, tokens, may_refuse=may_refuse)
        if reserved is not None and reserved.is_over:
            share = replace(request.share, over_budget=True)
            call = replace(call, request=replace(request, share=share))
        return CountedCall(self, InFlightRequest(call), reserved)

    def over(self, flight: InFlightRequest, reserved: Reserved | None, requests: int) -> None:
        """Count what the call has used, as so many requests."""
        request = flight.call.request
        seconds = self.seconds.take(request.id)
        self.spent.add(request.origin.tenant, seconds)
        used = Used(requests, flight.output_tokens, sum(seconds.values()))
        self._teams.release(reserved, _WARM if request.warm else request.task, used)


class CountedCall:
    """A context manager; a class, because a generator costs twice as much."""

    def __init__(
        self, accounting: Accounting, flight: InFlightRequest, reserved: Reserved | None
    ) -> None:
        self._accounting = accounting
        self._flight = flight
        self._reserved = reserved

    def __enter__(self) -> InFlightRequest:
        """Return the call in flight."""
        return self._flight

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Count what it has used.

        One that is made once more is no request of its own, nor is one that is compared with
        another answer.
        """
        is_own = not (isinstance(error, CallOutdated) or self._flight.call.compared)
        requests = int(is_own)
        self._accounting.over(self._flight, self._reserved, requests)
