"""Clients of a simulation that tell a study of every outcome."""

from __future__ import annotations

from collections.abc import Callable

from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.simulation.clients import Clients


class ObservedClients(Clients):
    """Calls `observe(outcome, now)` whenever a request has ended."""

    def __init__(self, observe: Callable[[Outcome, float], None]) -> None:
        super().__init__()
        self._observe = observe

    def end(self, request_id: str, ending: Ending, now: float, reason: str = "") -> None:
        """As in `Clients`."""
        known = len(self.outcomes)
        super().end(request_id, ending, now, reason)
        for outcome in self.outcomes[known:]:
            self._observe(outcome, now)
