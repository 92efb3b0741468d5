"""Logs requests that took many times as long as was promised."""

from __future__ import annotations

import logging

from cato_backend.clock import Clock
from cato_backend.logs import RateLimitedLog
from cato_backend.runtime.calls import Call
from cato_backend.runtime.lateness import CallTiming, duration, why_late

_MOST, _PERIOD_S = 10, 60.0


class SlowRequests:
    """Logs late requests that took more than `times` times their target; 0: none."""

    def __init__(self, times: float, clock: Clock) -> None:
        self.times = times
        self._log = RateLimitedLog(logging.getLogger(__name__), _MOST, _PERIOD_S, clock)

    def ended(self, call: Call, replica_id: str, timing: CallTiming) -> None:
        """Log a late request, if it was that late."""
        if not self.times or timing.promised_s <= self.times * timing.budget_s:
            return
        request = call.request
        self._log.warning(
            "request %s: %s for %s came after %s: %s",
            request.id,
            request.task,
            request.model,
            duration(timing.promised_s),
            why_late(timing).text,
            extra={
                "request_id": request.id,
                "replica": replica_id,
                "task": request.task,
                "model": request.model,
                "team": request.origin.team,
            },
        )
