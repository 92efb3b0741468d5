"""Scaling rules behind one seam."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.rules.base import ScalingRule
from cato_backend.provisioning.rules.planned import Planned
from cato_backend.provisioning.rules.queue_length import QueueLength
from cato_backend.provisioning.rules.ray_ttft import RayTtft
from cato_backend.provisioning.rules.remaining_slack import RemainingSlack
from cato_backend.provisioning.rules.static import StaticPeak

RULES: Mapping[str, Callable[[Profile], ScalingRule]] = {
    "planned": Planned,
    "remaining-slack": lambda profile: RemainingSlack(),
    "queue-length": lambda profile: QueueLength(),
    "ray-ttft": lambda profile: RayTtft(),
    "static": lambda profile: StaticPeak(1 << 16),
}
"""By name, with their defaults; `static` is cut to the most that is allowed."""


def make_rule(name: str, profile: Profile) -> ScalingRule:
    """The rule of this name for replicas of this profile. Raises ConfigError."""
    if name not in RULES:
        raise ConfigError.of("scaling rule", name, f"one of {', '.join(RULES)}")
    return RULES[name](profile)


__all__ = ["RULES", "ScalingRule", "make_rule"]
