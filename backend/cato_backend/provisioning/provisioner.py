"""A rule within bounds, for one model."""

from __future__ import annotations

from collections.abc import Iterable

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.rules.base import Bounds, FleetState, Plan, ScalingRule
from cato_backend.provisioning.watch import DemandWatch
from cato_backend.scheduling import Decision, Event, Submitted


class Provisioner:
    """Told what the scheduler is told; asked now and then how many replicas there should be."""

    def __init__(self, model: str, bounds: Bounds, rule: ScalingRule) -> None:
        self._model = model
        self._bounds = bounds
        self._rule = rule
        self._watch = DemandWatch()
        self._target: int | None = None

    def observe(self, event: Event, decisions: Iterable[Decision], now: float) -> None:
        """One event, and what the scheduler decided on it. Other models' are left aside."""
        if isinstance(event, Submitted):
            if event.request.model != self._model or event.request.warm:
                return
            self._rule.arrived(event.request, now)
        for answer in self._watch.observe(event, decisions, now):
            self._rule.answered(answer, now)

    def learned(self, profile: Profile) -> None:
        """What the model's replicas were found to be."""
        self._rule.learned(profile)

    def decide(self, fleet: FleetState, now: float) -> Plan:
        """How many replicas there should be from now on, and why."""
        wanted = self._rule.wanted(fleet, now)
        target = self._bounds.clip(wanted.count)
        changed = target != self._target
        self._target = target
        return Plan(target, self._sentence(fleet, target, wanted.count, wanted.why), changed)

    def _sentence(self, fleet: FleetState, target: int, wished: int, why: str) -> str:
        step = target - fleet.coming
        verb = f"{step} more" if step > 0 else f"{-step} fewer" if step < 0 else "stay"
        bound = "" if target == wished else f" (wished for {wished}, the bounds say {target})"
        return f"{fleet.coming} replicas, {verb}: {why}{bound}"
