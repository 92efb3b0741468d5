"""The seam: what a scaling rule is told, and what it answers."""

from __future__ import annotations

from typing import Protocol

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.fleet import FleetState, Wanted
from cato_backend.provisioning.watch import AnsweredRequest
from cato_backend.requests import Request


class ScalingRule(Protocol):
    """One model's rule. Times in seconds on the scheduler's clock."""

    def arrived(self, request: Request, now: float) -> None:
        """A request was submitted."""
        ...

    def answered(self, answer: AnsweredRequest, now: float) -> None:
        """A request is over."""
        ...

    def learned(self, profile: Profile) -> None:
        """The measured profile; it takes precedence over the one that the rule was made with."""
        ...

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """How many replicas it wants; bounds are applied by the caller."""
        ...


class Profileless:
    """For rules that do not ask how fast a replica is."""

    def learned(self, profile: Profile) -> None:
        """Nothing."""


class IgnoresTraffic(Profileless):
    """For rules that look at the fleet alone."""

    def arrived(self, request: Request, now: float) -> None:
        """Nothing."""

    def answered(self, answer: AnsweredRequest, now: float) -> None:
        """Nothing."""
