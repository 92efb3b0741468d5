"""One replica more or less by the recent TTFT: the rule of Ray Serve LLM's TTFT autoscaler."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.provisioning.rules.base import (
    AnsweredRequest,
    FleetState,
    Profileless,
    Recent,
    Wanted,
)
from cato_backend.requests import Request


@dataclass(frozen=True, slots=True)
class RayTtftSettings:
    """TTFT counts as a share of its target, so that one rule serves all classes."""

    upper: float = 1.0
    """One more replica where the 90th percentile is above."""
    lower: float = 0.4
    """One fewer where it is below."""
    span_s: float = 60.0
    pause_s: float = 30.0
    """Between two moves."""


class RayTtft(Profileless):
    """+1, -1 or nothing."""

    def __init__(self, settings: RayTtftSettings | None = None) -> None:
        self._settings = settings or RayTtftSettings()
        self._shares = Recent(self._settings.span_s)
        self._moved: float | None = None

    def arrived(self, request: Request, now: float) -> None:
        """Nothing: only answers count."""

    def answered(self, answer: AnsweredRequest, now: float) -> None:
        """Add TTFT over its target; one that never came counts with how long was waited."""
        target_s = answer.request.target.ttft_s
        if target_s is not None and answer.met is not None:
            waited_s = answer.ended_s if answer.ttft_s is None else answer.ttft_s
            self._shares.add(waited_s / target_s, now)

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """At most one step, at most once in the pause."""
        settings = self._settings
        self._shares.forget(now)
        ascending = sorted(self._shares)
        share = ascending[int(0.9 * (len(ascending) - 1))] if ascending else 0.0
        step = (share > settings.upper) - (share < settings.lower)
        resting = self._moved is not None and now - self._moved < settings.pause_s
        if fleet.starting or resting:
            step = 0
        if step:
            self._moved = now
        return Wanted(fleet.coming + step, f"the 90th percentile of TTFT is {share:.0%} of target")
