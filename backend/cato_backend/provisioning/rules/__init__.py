"""Scaling rules behind one seam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.rules.base import ScalingRule
from cato_backend.provisioning.rules.planned import Planned, PlannedSettings
from cato_backend.provisioning.rules.queue_length import QueueLength, QueueLengthSettings
from cato_backend.provisioning.rules.ray_ttft import RayTtft, RayTtftSettings
from cato_backend.provisioning.rules.remaining_slack import RemainingSlack, RemainingSlackSettings
from cato_backend.provisioning.rules.static import StaticPeak, StaticSettings


@dataclass(frozen=True, slots=True)
class _Kind:
    settings: type[Any]
    """A frozen dataclass of numbers, each with a default."""
    make: Callable[[Profile, Any], ScalingRule]


RULES: Mapping[str, _Kind] = {
    "planned": _Kind(PlannedSettings, Planned),
    "remaining-slack": _Kind(RemainingSlackSettings, lambda _, chosen: RemainingSlack(chosen)),
    "queue-length": _Kind(QueueLengthSettings, lambda _, chosen: QueueLength(chosen)),
    "ray-ttft": _Kind(RayTtftSettings, lambda _, chosen: RayTtft(chosen)),
    "static": _Kind(StaticSettings, lambda _, chosen: StaticPeak(int(chosen.replicas))),
}
"""By name."""


def make_rule(
    name: str, profile: Profile, settings: Mapping[str, float] | None = None
) -> ScalingRule:
    """The rule of this name for replicas of this profile; its own defaults where `settings` says
    nothing. Raises ConfigError for a name, a setting or a value that it does not have."""
    if name not in RULES:
        raise ConfigError.of("provisioning.rule", name, f"one of {', '.join(RULES)}")
    kind = RULES[name]
    known = [field.name for field in fields(kind.settings)]
    for key, value in (settings or {}).items():
        where = f"provisioning.settings.{key}"
        if key not in known:
            raise ConfigError.of(where, value, f"one of the rule {name}'s: {', '.join(known)}")
        if not (isfinite(value) and value >= 0):
            raise ConfigError.of(where, value, "a number, 0 or more")
    return kind.make(profile, kind.settings(**(settings or {})))


__all__ = ["RULES", "ScalingRule", "make_rule"]
