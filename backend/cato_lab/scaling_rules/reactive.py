"""Reactive rules of Ray Serve: by requests in flight, and by the recent TTFT."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from cato_backend.errors import ConfigError
from cato_backend.provisioning.rules.base import (
    AnsweredRequest,
    FleetState,
    IgnoresTraffic,
    Profileless,
    Recent,
    Wanted,
)
from cato_backend.requests import Request


@dataclass(frozen=True, slots=True)
class QueueLengthSettings:
    """Ray Serve's names and defaults, but for the target, which is to be tuned."""

    target_ongoing_requests: float = 8.0
    """Per replica, queued ones counted in."""
    look_back_s: float = 30.0
    upscale_delay_s: float = 30.0
    downscale_delay_s: float = 600.0

    def __post_init__(self) -> None:
        if self.target_ongoing_requests <= 0:
            name = "provisioning.settings.target_ongoing_requests"
            raise ConfigError.of(name, self.target_ongoing_requests, "a number above 0")


class QueueLength(IgnoresTraffic):
    """ceil(mean requests in flight / target), once it has been so for the delay."""

    def __init__(self, settings: QueueLengthSettings | None = None) -> None:
        self._settings = settings or QueueLengthSettings()
        self._ongoing = Recent(self._settings.look_back_s)
        self._since: float | None = None
        self._direction = 0

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """Move only after the wish for more, or for fewer, has lasted."""
        settings = self._settings
        self._ongoing.add(fleet.waiting + fleet.running, now)
        ongoing = self._ongoing.mean()
        wish = max(1, ceil(ongoing / settings.target_ongoing_requests))
        direction = (wish > fleet.coming) - (wish < fleet.coming)
        if direction != self._direction:
            self._direction, self._since = direction, now
        delay_s = settings.upscale_delay_s if direction > 0 else settings.downscale_delay_s
        if not direction or now - (self._since or 0.0) < delay_s:
            wish = fleet.coming
        return Wanted(
            wish,
            f"{ongoing:.1f} requests in flight over {settings.look_back_s:.0f} s, "
            f"{settings.target_ongoing_requests:g} wanted for each replica",
        )


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
