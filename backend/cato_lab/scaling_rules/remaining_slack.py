"""The paper's autoscaling by remaining slack (SLA-Awareness for AI-assisted coding, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import pvariance

from cato_backend.errors import ConfigError
from cato_backend.provisioning.rules.base import (
    AnsweredRequest,
    FleetState,
    Profileless,
    Recent,
    Wanted,
)
from cato_backend.requests import Request
from cato_backend.wire.headers import Task


@dataclass(frozen=True, slots=True)
class RemainingSlackSettings:
    """The rule's constants."""

    weight: float = 0.9
    """The share of the SLA that serving may take."""
    buffer_s: float = 0.05
    slots: int = 16
    """Requests at once that count as a fully loaded replica."""
    span_s: float = 60.0
    pause_s: float = 15.0
    """Between two moves."""

    def __post_init__(self) -> None:
        if self.slots <= 0:
            raise ConfigError.of("provisioning.settings.slots", self.slots, "a number above 0")


class RemainingSlack(Profileless):
    """alloc = SLA * weight - buffer.

    Slack = alloc - base * (1 + variation); the tightest task decides. Up by a factor where the
    slack is negative or the mean is above alloc, else by the queue, else by the load.
    """

    def __init__(self, settings: RemainingSlackSettings | None = None) -> None:
        self._settings = settings or RemainingSlackSettings()
        self._times: dict[Task, Recent] = {}
        self._slas: dict[Task, float] = {}
        self._bases: dict[Task, float] = {}
        self._moved: float | None = None

    def arrived(self, request: Request, now: float) -> None:
        """Learn the SLA of the task."""
        self._slas[request.task] = request.target.budget_s

    def answered(self, answer: AnsweredRequest, now: float) -> None:
        """Learn how long the task takes: the recent mean, and the least."""
        taken_s = answer.ttft_s if answer.request.target.ttft_s is not None else answer.ended_s
        if taken_s is None or answer.met is None:
            return
        self._times.setdefault(answer.task, Recent(self._settings.span_s)).add(taken_s, now)
        best = self._bases.get(answer.task)
        self._bases[answer.task] = taken_s if best is None else _slowly_down(best, taken_s)

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """Return the rule's steps in its order."""
        settings = self._settings
        slack, share, late = self._tightest(now)
        load = (fleet.running + fleet.waiting) / (settings.slots * max(1, fleet.ready))
        count = fleet.coming
        if fleet.starting or (self._moved is not None and now - self._moved < settings.pause_s):
            return Wanted(count, f"remaining slack {slack:.2f} s, waits for its last move")
        if slack < 0 or late:
            count = int(count * min(3.0, 1 + share)) + 1
        elif fleet.waiting > 0:
            count += max(1, fleet.waiting // 5)
        elif load > 0.8:
            count += 1
        elif load < 0.3:
            count -= 1
        if count != fleet.coming:
            self._moved = now
        return Wanted(max(1, count), f"remaining slack {slack:.2f} s, load {load:.0%}")

    def _tightest(self, now: float) -> tuple[float, float, bool]:
        """Slack in seconds, its absolute value over the base, whether a mean is above alloc."""
        tightest, late = (float("inf"), 0.0), False
        for task, times in self._times.items():
            times.forget(now)
            if not len(times):
                continue
            settings, base = self._settings, max(1e-3, self._bases[task])
            alloc = self._slas[task] * settings.weight - settings.buffer_s
            mean = times.mean()
            variation = pvariance(list(times)) ** 0.5 / mean if mean else 0.0
            slack = alloc - base * (1 + variation)
            tightest = min(tightest, (slack, abs(slack) / base))
            late = late or mean > alloc
        return *tightest, late


def _slowly_down(best: float, taken_s: float) -> float:
    """Return the 10th percentile, followed by small steps."""
    return best * (1 - 0.09 * 0.5) if taken_s < best else best * (1 + 0.01 * 0.5)
