"""A rule within bounds for one model, and the requests that it is told of."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.request_tracker import RequestTracker
from cato_backend.provisioning.rules.base import (
    Bounds,
    FleetState,
    Plan,
    ScalingRule,
    Wanted,
)
from cato_backend.scheduling import (
    Decision,
    Event,
    Submitted,
)


class Provisioner:
    """Decides how many replicas a model should have, from the scheduler's events."""

    def __init__(self, model: str, bounds: Bounds, rule: ScalingRule, idle_s: float = inf) -> None:
        """`idle_s`: seconds without a request after which it wants as few as the bounds allow."""
        self._model = model
        self._bounds = bounds
        self._rule = rule
        self._idle_s = idle_s
        self._tracker = RequestTracker()
        self._target: int | None = None
        self._asked_at: float | None = None

    def observe(self, event: Event, decisions: Iterable[Decision], now: float) -> None:
        """One event, and what the scheduler decided on it. Other models' are left aside."""
        if not isinstance(event, Submitted):
            answers = self._tracker.observe(event, decisions, now)
        elif event.request.model == self._model and not event.request.warm:
            self._asked_at = now
            self._rule.arrived(event.request, now)
            answers = self._tracker.observe(event, decisions, now)
        else:
            answers = self._tracker.decided(decisions, now)
        for answer in answers:
            self._rule.answered(answer, now)

    def learned(self, profile: Profile) -> None:
        """Take what the model's replicas were found to be."""
        self._rule.learned(profile)

    def decide(self, fleet: FleetState, now: float) -> Plan:
        """Return how many replicas there should be from now on, and why."""
        wanted = self._idle(fleet, now) or self._used(self._rule.wanted(fleet, now))
        target = self._bounds.clip(wanted.count)
        changed = target != self._target
        self._target = target
        return Plan(target, self._sentence(fleet, target, wanted.count, wanted.why), changed)

    @staticmethod
    def _used(wanted: Wanted) -> Wanted:
        """Return the wish of a rule for a model that is in use: one replica at least."""
        return wanted if wanted.count else Wanted(1, wanted.why)

    def _idle(self, fleet: FleetState, now: float) -> Wanted | None:
        """Return the wish of a model that nothing is asked of; None where it is in use.

        The first replica has its time from when it is ready, and each that starts likewise.
        """
        if fleet.waiting or fleet.running or fleet.starting:
            self._asked_at = now
        if self._asked_at is None and fleet.ready:
            self._asked_at = now
        if self._asked_at is None or now - self._asked_at < self._idle_s:
            return None
        return Wanted(0, f"nothing was asked for in {self._idle_s:g} s")

    def _sentence(self, fleet: FleetState, target: int, wished: int, why: str) -> str:
        move = f"{fleet.coming}" if target == fleet.coming else f"{fleet.coming} -> {target}"
        bound = "" if target == wished else f" (wished for {wished}, the bounds say {target})"
        return f"{move} replicas because {why}{bound}"
