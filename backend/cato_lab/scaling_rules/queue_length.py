"""Scaling on requests in flight, as Ray Serve and KEDA do."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from cato_backend.errors import ConfigError
from cato_backend.provisioning.rules.base import FleetState, IgnoresTraffic, Recent, Wanted


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
        """Moves only after the wish for more, or for fewer, has lasted."""
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
